package analytics

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Page says which part of a list is wanted.
type Page struct {
	Sort   string // one of the list's orders, "-" before it for the greatest first; empty: the list's own
	Cursor string // Next of the page before
	Limit  int    // at most MaxLimit; 0: 100
	Search string // what the rows have to have in them
	Took   Took   // of a list of pipelines: how long something took in them
}

const (
	// MaxLimit is how many rows a list gives at once.
	MaxLimit     = 10_000
	defaultLimit = 100
)

func (p *Page) limit() int {
	if p.Limit == 0 {
		return defaultLimit
	}
	return p.Limit
}

// An order is how a list is sorted, and after which row it is wanted. Rows of
// one place are sorted by their keys.
type order struct {
	column, direction string
	after3            *[3]int64 // place and keys
}

// parseOrder checks a page. Columns are what can be sorted by, never null.
func parseOrder(page Page, usual string, columns map[string]string) (order, error) {
	name := page.Sort
	if name == "" {
		name = usual
	}
	o := order{direction: " ASC"}
	if rest, down := strings.CutPrefix(name, "-"); down {
		name, o.direction = rest, " DESC"
	}
	var known bool
	if o.column, known = columns[name]; !known {
		names := slices.Sorted(maps.Keys(columns))
		return order{}, &FieldError{"sort", "It is one of " + strings.Join(names, ", ") + ", with a minus before it for the greatest first."}
	}
	if page.Limit < 0 || page.Limit > MaxLimit {
		return order{}, &FieldError{"limit", fmt.Sprintf("It must be a whole number from 1 to %d.", MaxLimit)}
	}
	if len(page.Search) > maxValue || strings.ContainsRune(page.Search, 0) || !validUTF8(page.Search) {
		return order{}, &FieldError{"q", fmt.Sprintf("It is text of at most %d bytes.", maxValue)}
	}
	if page.Cursor == "" {
		return o, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(page.Cursor)
	o.after3 = &[3]int64{}
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d %d %d", &o.after3[0], &o.after3[1], &o.after3[2])
	}
	if err != nil {
		return order{}, &FieldError{"cursor", "It is none that this list gave."}
	}
	return o, nil
}

// cursorAt is the cursor of the page after a row.
func cursorAt(place, project, pipeline int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d", place, project, pipeline))
}

// after is the condition on rows of the page, after an AND.
func (o *order) after(args *arguments, project, pipeline string) string {
	if o.after3 == nil {
		return ""
	}
	than := " > "
	if o.direction == " DESC" {
		than = " < "
	}
	return " AND (" + o.column + ", " + project + ", " + pipeline + ")" + than +
		"(" + args.add(o.after3[0]) + ", " + args.add(o.after3[1]) + ", " + args.add(o.after3[2]) + ")"
}

// by is the ORDER BY over these columns.
func (o *order) by(columns ...string) string {
	return " ORDER BY " + strings.Join(columns, o.direction+", ") + o.direction
}
