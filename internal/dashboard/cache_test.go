package dashboard

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What took long is kept for as long, whether it is whole, lacks a part or
// failed; what came at once and is not whole is made again at once.
func TestSlowPagesRestTheDatabase(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		took, kept time.Duration
		whole      bool
		err        error
	}{
		"whole and quick":       {took: 10 * time.Millisecond, whole: true, kept: fresh},
		"whole and slow":        {took: 8 * time.Second, whole: true, kept: 8 * time.Second},
		"a part too slow":       {took: 5 * time.Second, kept: 5 * time.Second},
		"a part failed at once": {},
		"failed slowly":         {took: 20 * time.Second, err: broken, kept: 20 * time.Second},
		"failed at once":        {err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, made := time.Unix(1000, 0), 0
			var pages cache
			ask := func() {
				t.Helper()
				e, err := pages.get(t.Context(), "key", func() time.Time { return at }, func(context.Context) ([]byte, bool, error) {
					made++
					at = at.Add(c.took)
					return []byte("page"), c.whole, c.err
				})
				if !errors.Is(err, c.err) || string(e.body) != "page" {
					t.Fatalf("got %q, %v", e.body, err)
				}
			}
			ask()
			if c.kept > 0 {
				at = at.Add(c.kept - 1)
				ask()
				if made != 1 {
					t.Errorf("it was made %d times before its time was over", made)
				}
				at = at.Add(1)
			}
			ask()
			if made != 2 {
				t.Errorf("it was made %d times, want 2", made)
			}
		})
	}
}
