package analytics_test

import (
	"sync/atomic"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// Each thing is done once, and one that panics does so where somebody watches.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 100} {
		done := make([]atomic.Int64, n)
		analytics.AtOnce(n, func(i int) { done[i].Add(1) })
		for i := range done {
			if times := done[i].Load(); times != 1 {
				t.Errorf("%d of %d was done %d times", i, n, times)
			}
		}
	}
	defer func() {
		if p := recover(); p != "seven" {
			t.Errorf("what came of a panic is %v", p)
		}
	}()
	analytics.AtOnce(20, func(i int) {
		if i == 7 {
			panic("seven")
		}
	})
	t.Error("a panic was lost")
}
