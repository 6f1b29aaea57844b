package kept_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/kept"
)

// What took long is kept for as long, whether it is whole, lacks a part or
// failed; what came at once and is not whole is made again at once.
func TestSlowAnswersRestTheDatabase(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		took, kept time.Duration
		whole      bool
		err        error
	}{
		"whole and quick":       {took: 10 * time.Millisecond, whole: true, kept: kept.Fresh},
		"whole and slow":        {took: 8 * time.Second, whole: true, kept: 8 * time.Second},
		"a part too slow":       {took: 5 * time.Second, kept: 5 * time.Second},
		"a part failed at once": {},
		"failed slowly":         {took: 20 * time.Second, err: broken, kept: 20 * time.Second},
		"failed at once":        {err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, made := time.Unix(1000, 0), 0
			answers := kept.Answers[string]{Now: func() time.Time { return at }, Size: func(s string) int { return len(s) }, Most: 1000}
			ask := func() {
				t.Helper()
				got, err := answers.Get(t.Context(), "key", func(context.Context) (string, bool, error) {
					made++
					at = at.Add(c.took)
					return "answer", c.whole, c.err
				})
				if !errors.Is(err, c.err) || got != "answer" {
					t.Fatalf("got %q, %v", got, err)
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

// Who waits for somebody that panics gets an error, and the next one an answer.
func TestPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testPanic)
}

func testPanic(t *testing.T) {
	answers := kept.Answers[string]{Now: time.Now, Size: func(s string) int { return len(s) }, Most: 1000}
	making, waited := make(chan struct{}), make(chan error, 1)
	go func() {
		<-making
		_, err := answers.Get(t.Context(), "key", func(context.Context) (string, bool, error) { return "", true, nil })
		waited <- err
	}()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_, _ = answers.Get(t.Context(), "key", func(context.Context) (string, bool, error) {
			close(making)
			synctest.Wait()
			panic("broken")
		})
	}()
	if err := <-waited; err == nil {
		t.Error("an answer that nobody made is none")
	}
}

// More than may be kept is forgotten.
func TestMost(t *testing.T) {
	t.Parallel()
	answers := kept.Answers[string]{Now: time.Now, Size: func(s string) int { return len(s) }, Most: 10}
	made := 0
	ask := func(key string) {
		t.Helper()
		if _, err := answers.Get(t.Context(), key, func(context.Context) (string, bool, error) {
			made++
			return "123456", true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "a", "b", "a", "a"} {
		ask(key)
	}
	if made != 3 {
		t.Errorf("%d were made, want a, b, which takes the place of both, and a again", made)
	}
}
