package dashboard

import "bytes"

// showDirections puts a visible sign in the place of the characters that turn
// the direction of text around (U+202A to U+202E, U+2066 to U+2069): inside a
// name they let it read as another. The values of fields stay as they are: they
// are sent back. It works in place on all of a page, so that no name is missed.
func showDirections(page []byte) {
	for at := 0; ; {
		next := bytes.IndexByte(page[at:], 0xE2)
		if next < 0 || at+next+2 >= len(page) {
			return
		}
		at += next
		if c := page[at : at+3]; turnsDirection(c) && !isSentBack(page[:at]) {
			copy(c, "\uFFFD")
		}
		at++
	}
}

// turnsDirection tells whether three bytes of UTF-8 are such a character.
func turnsDirection(c []byte) bool {
	return c[1] == 0x80 && c[2] >= 0xAA && c[2] <= 0xAE || c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9
}

// isSentBack tells whether what follows before is in the value of a field.
// Texts and attributes are escaped: angle brackets and quotes are ours.
func isSentBack(before []byte) bool {
	tag := bytes.LastIndexAny(before, "<>")
	if tag < 0 || before[tag] == '>' {
		return false
	}
	quote := bytes.LastIndexByte(before, '"')
	return quote > tag && bytes.HasSuffix(before[:quote], []byte(" value="))
}
