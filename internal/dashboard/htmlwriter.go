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

// A letter is how something ended: P passed, R restarted, F failed. Several that
// are alike and lead to the same are one, such as PPP.
type letter struct{ text, href, title string }

// letters writes outcomes as letters in their colours. What the row leads to has
// them, too, so keyboards need not stop at each.
func (w *htmlWriter) letters(all []letter) {
	w.b.WriteString(`<span class="letters">`)
	for _, l := range all {
		class := map[byte]string{'P': "passed", 'R': "restarted", 'F': "failed"}[l.text[0]]
		w.f(`<a class="%s" href="%s" title="%s" tabindex="-1">%s</a>`, class, l.href, l.title, l.text)
	}
	w.b.WriteString(`</span>`)
}

func (w *htmlWriter) html() template.HTML {
	return template.HTML(w.b.String()) //nolint:gosec // all texts in it were escaped
}
