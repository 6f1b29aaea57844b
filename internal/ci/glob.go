package ci

import (
	"strings"
	"unicode/utf8"
)

// matches tells whether a text is of the pattern: * stands for any characters,
// also for none, ? for one of them, everything else for itself.
func matches(pattern, text string) bool {
	head, rest, many := strings.Cut(pattern, "*")
	n, ok := prefix(head, text)
	switch {
	case !ok:
		return false
	case !many:
		return n == len(text)
	}
	text = text[n:]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return suffix(part, text)
		}
		at := find(part, text)
		if at < 0 {
			return false
		}
		text, rest = text[at:], after
	}
}

// prefix tells whether text begins with the pattern, which has no *, and how
// many bytes of it that are.
func prefix(pattern, text string) (n int, ok bool) {
	for _, want := range pattern {
		if n >= len(text) {
			return n, false
		}
		r, size := utf8.DecodeRuneInString(text[n:])
		if want != '?' && want != r {
			return n, false
		}
		n += size
	}
	return n, true
}

// find returns where in text the first match of the pattern ends, or -1.
func find(pattern, text string) int {
	for at := 0; ; {
		if n, ok := prefix(pattern, text[at:]); ok {
			return at + n
		}
		if at >= len(text) {
			return -1
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
}

func suffix(pattern, text string) bool {
	for at := len(text); at >= 0; at-- {
		if at < len(text) && !utf8.RuneStart(text[at]) {
			continue
		}
		if n, ok := prefix(pattern, text[at:]); ok && at+n == len(text) {
			return true
		}
	}
	return false
}

func matchesAny(patterns []string, text string) bool {
	for _, p := range patterns {
		if matches(p, text) {
			return true
		}
	}
	return false
}
