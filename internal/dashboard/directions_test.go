package dashboard

import "testing"

func TestShowDirections(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"":                      "",
		"no name – at all…\xe2": "no name – at all…\xe2",
		"<a href=\"/p/a%E2%80%AEb\">a\u202eb</a>":                       "<a href=\"/p/a%E2%80%AEb\">a\uFFFDb</a>",
		"\u202a\u202b\u202c\u202d\u202e":                                "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD",
		"\u2066\u2067\u2068\u2069":                                      "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\u2029\u202f\u2065\u206a\u200f":                                "\u2029\u202f\u2065\u206a\u200f", // their neighbours turn nothing around
		"<th title=\"\u202e\">":                                         "<th title=\"\uFFFD\">",
		"<option value=\"a\u202eb\" title=\"\u202e\">a\u202eb</option>": "<option value=\"a\u202eb\" title=\"\uFFFD\">a\uFFFDb</option>",
		"<p>value=\"\u202e</p>":                                         "<p>value=\"\uFFFD</p>",
	} {
		got := []byte(page)
		showDirections(got)
		if string(got) != want {
			t.Errorf("%+q is shown as %+q, want %+q", page, got, want)
		}
	}
}
