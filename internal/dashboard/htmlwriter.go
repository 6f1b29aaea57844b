package dashboard

import (
	"fmt"
	"html/template"
	"strings"
)

// An htmlWriter writes HTML; every text that is put into it is escaped.
type htmlWriter struct{ b strings.Builder }

// f writes format with escaped texts. Only strings may be put in.
func (w *htmlWriter) f(format string, texts ...string) {
	escaped := make([]any, len(texts))
	for i, s := range texts {
		escaped[i] = template.HTMLEscapeString(s)
	}
	fmt.Fprintf(&w.b, format, escaped...)
}

// raw writes what is HTML already.
func (w *htmlWriter) raw(h template.HTML) { w.b.WriteString(string(h)) }

// letters writes outcomes as letters in their colours: P passed, R restarted, F
// failed.
func (w *htmlWriter) letters(all string) {
	w.b.WriteString(`<span class="letters">`)
	for _, r := range all {
		class := map[rune]string{'P': "passed", 'R': "restarted", 'F': "failed"}[r]
		w.f(`<i class="%s">%s</i>`, class, string(r))
	}
	w.b.WriteString(`</span>`)
}

func (w *htmlWriter) html() template.HTML {
	return template.HTML(w.b.String()) //nolint:gosec // all texts in it were escaped
}
