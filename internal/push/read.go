package push

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// values hands each JSON value of in to f: the elements of an array, or what
// stands one after another. They are counted from 1. A value greater than the
// greatest report is an error.
func values(in io.Reader, f func(n int, raw json.RawMessage) error) error {
	limit := &limited{in: in, left: maxOne}
	b := bufio.NewReader(limit)
	d := json.NewDecoder(b)
	isArray, err := startsArray(b)
	if err != nil {
		return err
	}
	if isArray {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("read the reports: %w", err)
		}
	}
	for n := 1; ; n++ {
		var raw json.RawMessage
		limit.left = maxOne
		if !d.More() { // the end, of the input or of the array
			return rest(d, n, isArray)
		}
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("report %d can't be read: %w", n, err)
		}
		if err := f(n, raw); err != nil {
			return err
		}
	}
}

// startsArray looks at the first byte that is no space.
func startsArray(b *bufio.Reader) (bool, error) {
	for {
		c, err := b.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("read the reports: %w", err)
		case c[0] != ' ' && c[0] != '\t' && c[0] != '\r' && c[0] != '\n':
			return c[0] == '[', nil
		}
		if _, err := b.Discard(1); err != nil {
			return false, fmt.Errorf("read the reports: %w", err)
		}
	}
}

// rest reads what stands after the last of n-1 reports: at most the end of the
// array.
func rest(d *json.Decoder, n int, open bool) error {
	for {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && open:
			return errors.New("the array of reports has no end")
		case errors.Is(err, io.EOF) && n > 1:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("there is no report in it")
		case err != nil:
			return fmt.Errorf("read the reports: %w", err)
		case t != json.Delim(']') || !open:
			return fmt.Errorf("something follows report %d", n-1)
		default:
			open = false
		}
	}
}

// A limited reader gives so many bytes until it is allowed more.
type limited struct {
	in   io.Reader
	left int
}

// Read implements [io.Reader].
func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it is greater than %d MiB", maxOne>>20)
	}
	n, err := l.in.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}
