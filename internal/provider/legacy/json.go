package legacy

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

const (
	maxDepth    = 10_000 // objects and arrays within each other, as encoding/json allows
	maxProblems = 100    // problems that one answer lists
)

// A reader walks once over a JSON text and notes all that is wrong, each with
// the place where it stands. encoding/json is not used because it takes keys
// in any case, replaces bad UTF-8 without a word, and stops at the first
// value of a wrong type.
type reader struct {
	body     []byte
	at       int
	depth    int
	broken   bool // not JSON, or too much is wrong: nothing more is read
	path     []step
	problems []ci.FieldError
}

// A step is one part of a JSON Pointer: an escaped key, or an index.
type step struct {
	key     string
	index   int
	isIndex bool
}

// problem notes what is wrong with the value at the present path.
func (r *reader) problem(reason string) {
	if r.broken {
		return
	}
	r.problems = append(r.problems, ci.FieldError{Pointer: r.pointer(), Reason: reason})
	r.broken = len(r.problems) == maxProblems
}

// syntax notes that the text is not JSON and ends the walk.
func (r *reader) syntax(format string, args ...any) {
	if r.broken {
		return
	}
	reason := "is not valid JSON: " + fmt.Sprintf(format, args...) + fmt.Sprintf(" at byte %d", r.at)
	r.problems, r.broken = []ci.FieldError{{Reason: reason}}, true
}

// forget drops the problems of an earlier value at the present path: of equal
// keys the last one counts.
func (r *reader) forget() {
	if len(r.problems) == 0 || r.broken {
		return
	}
	p := r.pointer()
	kept := r.problems[:0]
	for _, f := range r.problems {
		if f.Pointer != p && !isBelow(f.Pointer, p) {
			kept = append(kept, f)
		}
	}
	r.problems = kept
}

func isBelow(pointer, parent string) bool {
	return len(pointer) > len(parent) && pointer[:len(parent)] == parent && pointer[len(parent)] == '/'
}

func (r *reader) pointer() string {
	var b []byte
	for _, s := range r.path {
		b = append(b, '/')
		if s.isIndex {
			b = strconv.AppendInt(b, int64(s.index), 10)
		} else {
			b = append(b, s.key...)
		}
	}
	return string(b)
}

// field reads the value of a known key and keeps in seen whether there is one:
// null is none, a bad one is noted as a problem.
func (r *reader) field(seen *fields, f fields, key string, value func() (ok bool)) {
	r.path = append(r.path, step{key: key})
	r.forget()
	before := len(r.problems)
	if value() || len(r.problems) > before {
		*seen |= f
	} else {
		*seen &^= f
	}
	r.path = r.path[:len(r.path)-1]
}

// need notes the required key that did not come.
func (r *reader) need(seen, f fields, key, reason string) {
	if seen&f == 0 {
		r.path = append(r.path, step{key: key})
		r.problem(reason)
		r.path = r.path[:len(r.path)-1]
	}
}

// object walks over an object; field must read the value of each key. It
// tells whether there was an object; null is none, and no problem.
func (r *reader) object(field func(key []byte)) bool {
	if !r.open('{', "an object") {
		return false
	}
	for first := true; r.more('}', first); first = false {
		if r.peek() != '"' {
			r.syntax("a key is missing")
			return false
		}
		key := r.quoted()
		r.space()
		if r.peek() != ':' {
			r.syntax("a colon is missing")
			return false
		}
		r.at++
		r.space()
		field(key)
	}
	r.depth--
	return !r.broken
}

// array walks over an array; element must read each element, one step down.
func (r *reader) array(element func(i int)) bool {
	if !r.open('[', "an array") {
		return false
	}
	r.path = append(r.path, step{isIndex: true})
	for i := 0; r.more(']', i == 0); i++ {
		r.path[len(r.path)-1].index = i
		element(i)
	}
	r.path = r.path[:len(r.path)-1]
	r.depth--
	return !r.broken
}

func (r *reader) open(bracket byte, want string) bool {
	if r.peek() != bracket {
		r.other(want)
		return false
	}
	r.at++
	if r.depth++; r.depth > maxDepth {
		r.syntax("it is nested more than %d deep", maxDepth)
	}
	return !r.broken
}

// more moves to the next element, over the comma, or past the end.
func (r *reader) more(end byte, first bool) bool {
	r.space()
	switch c := r.peek(); {
	case r.broken:
		return false
	case c == end:
		r.at++
		return false
	case first:
		return true
	case c != ',':
		r.syntax("a comma or %q is missing", end)
		return false
	}
	r.at++
	r.space()
	if r.peek() == end {
		r.syntax("a comma too many")
	}
	return !r.broken
}

// other reads a value that is not what was wanted. Null stands for absent.
func (r *reader) other(want string) {
	kind := r.skip()
	if kind != "null" && kind != "" {
		r.problem("must be " + want + ", not " + kind)
	}
}

// skip reads any value and says what it is, or "" where there is none.
func (r *reader) skip() (kind string) {
	switch c := r.peek(); {
	case c == '{':
		r.object(func([]byte) { r.skip() })
		return "an object"
	case c == '[':
		r.array(func(int) { r.skip() })
		return "an array"
	case c == '"':
		r.quoted()
		return "a string"
	case c == '-' || isDigit(c):
		r.numeral()
		return "a number"
	case r.word("true"), r.word("false"):
		return "a boolean"
	case r.word("null"):
		return "null"
	}
	r.syntax("a value is missing")
	return ""
}

// peek is the byte at hand, or 0 at the end and when nothing more is read.
func (r *reader) peek() byte {
	if r.broken || r.at >= len(r.body) {
		return 0
	}
	return r.body[r.at]
}

func (r *reader) space() {
	for r.at < len(r.body) {
		switch r.body[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

func (r *reader) word(w string) bool {
	if r.broken || len(r.body)-r.at < len(w) || string(r.body[r.at:r.at+len(w)]) != w {
		return false
	}
	r.at += len(w)
	return true
}

// numeral reads a number as it is written.
func (r *reader) numeral() []byte {
	start := r.at
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else {
		r.digits()
	}
	if r.peek() == '.' {
		r.at++
		r.digits()
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		r.digits()
	}
	return r.body[start:r.at]
}

func (r *reader) digits() {
	start := r.at
	for isDigit(r.peek()) {
		r.at++
	}
	if r.at == start {
		r.syntax("a digit is missing")
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// quoted reads a string. The bytes are the body's own where it has no escape.
// An escape of half a character becomes bytes that are not UTF-8.
func (r *reader) quoted() []byte {
	r.at++
	start := r.at
	var s []byte // what stands before start, where there is an escape
	for r.at < len(r.body) && !r.broken {
		switch c := r.body[r.at]; {
		case c == '"':
			r.at++
			if s == nil {
				return r.body[start : r.at-1]
			}
			return append(s, r.body[start:r.at-1]...)
		case c == '\\':
			s = append(s, r.body[start:r.at]...)
			r.at++
			s = r.escape(s)
			start = r.at
		case c < ' ':
			r.syntax("a control character in a string")
		default:
			r.at++
		}
	}
	r.syntax("the text ends within a string")
	return nil
}

// escape adds to s what the escape at hand stands for.
func (r *reader) escape(s []byte) []byte {
	if r.word("u") {
		return r.unicode(s)
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), r.peek())
	if i < 0 {
		r.syntax("an unknown escape")
		return s
	}
	r.at++
	return append(s, "\"\\/\b\f\n\r\t"[i])
}

// unicode adds the character of four hexadecimal digits, or of twice four
// where the first are one half of a pair.
func (r *reader) unicode(s []byte) []byte {
	char := r.hex()
	if !utf16.IsSurrogate(char) {
		return utf8.AppendRune(s, char)
	}
	if back := r.at; r.word(`\u`) {
		if pair := utf16.DecodeRune(char, r.hex()); pair != utf8.RuneError {
			return utf8.AppendRune(s, pair)
		}
		r.at = back // it may be the first half of another pair
	}
	return append(s, 0xff)
}

func (r *reader) hex() rune {
	var n rune
	for range 4 {
		c := r.peek()
		switch {
		case isDigit(c):
			n = n<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			r.syntax("four hexadecimal digits are missing")
			return 0
		}
		r.at++
	}
	return n
}
