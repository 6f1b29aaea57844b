package dashboard

import "sync"

// answers are what a view has asked already: two cards that need the same ask
// once.
type answers struct {
	mu  sync.Mutex
	all map[string]any // by what was asked: a *asked of some type
}

type asked[T any] struct {
	once  sync.Once
	value T
	err   error
}

// once asks, or waits for who asks the same. Keys of one type of answer are
// told apart by key alone.
func once[T any](v *view, key string, ask func() (T, error)) (T, error) {
	v.answers.mu.Lock()
	if v.answers.all == nil {
		v.answers.all = map[string]any{}
	}
	a, ok := v.answers.all[key].(*asked[T])
	if !ok {
		a = &asked[T]{}
		v.answers.all[key] = a
	}
	v.answers.mu.Unlock()
	a.once.Do(func() { a.value, a.err = ask() })
	return a.value, a.err
}
