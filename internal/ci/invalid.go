package ci

import "strings"

// An InvalidError lists all that is wrong with a report.
type InvalidError struct{ Fields []FieldError }

// A FieldError is one thing wrong: where, as a JSON Pointer (RFC 6901) into
// the document that was sent, and what to do, as a sentence.
type FieldError struct {
	Pointer string
	Reason  string
}

// Error joins all reasons.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Pointer + ": " + f.Reason
	}
	return strings.Join(parts, "; ")
}
