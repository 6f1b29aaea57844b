package native

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// pointerAt is the JSON Pointer of the value that ends at or spans offset.
func pointerAt(doc []byte, offset int64) string {
	return find(doc, func(_ json.Token, end int64) bool { return end >= offset })
}

// pointerOf is the JSON Pointer of the first string that is text, quoted or
// not.
func pointerOf(doc []byte, text string) string {
	text = strings.Trim(text, `"`)
	return find(doc, func(t json.Token, _ int64) bool { return t == text })
}

// find walks the values of a document and returns the pointer of the first
// that is wanted, or "".
func find(doc []byte, wanted func(t json.Token, end int64) bool) string {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	w := &walk{decoder: d, wanted: wanted}
	if w.value("") {
		return w.found
	}
	return ""
}

type walk struct {
	decoder *json.Decoder
	wanted  func(t json.Token, end int64) bool
	found   string
}

// value reads one value and tells whether to stop: it was found, or the
// document is at its end.
func (w *walk) value(at string) (stop bool) {
	t, err := w.decoder.Token()
	if err != nil {
		return true
	}
	if w.wanted(t, w.decoder.InputOffset()) {
		w.found = at
		return true
	}
	delim, nested := t.(json.Delim)
	if !nested {
		return false
	}
	for i := 0; w.decoder.More(); i++ {
		member := strconv.Itoa(i)
		if delim == '{' {
			name, err := w.decoder.Token()
			if err != nil {
				return true
			}
			member, _ = name.(string)
		}
		if w.value(at + "/" + escape(member)) {
			return true
		}
	}
	_, err = w.decoder.Token()
	return err != nil
}

func escape(member string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(member)
}
