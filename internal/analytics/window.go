package analytics

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// parseWindow reads range, or from and to.
func (f *Filter) parseWindow(q url.Values, now time.Time) error {
	span, err := only(q, "range")
	if err != nil {
		return err
	}
	from, err := only(q, "from")
	if err != nil {
		return err
	}
	to, err := only(q, "to")
	if err != nil {
		return err
	}
	switch {
	case span != "" && from+to != "":
		return &FieldError{"range", "Give either range, or from and to."}
	case from+to == "":
		f.Range = defaultRange
		if span != "" {
			f.Range = span
		}
		f.Window, err = f.last(f.Range, now)
		return err
	case from == "":
		return &FieldError{"from", "It is needed beside to."}
	}
	f.open = to == ""
	f.Window, err = f.between("from", from, "to", to, now)
	return err
}

// last is the time of a range that ends now. It begins with an hour, or from
// two days on with a day of the zone, so that no bucket is cut off.
func (f *Filter) last(span string, now time.Time) (Window, error) {
	wrong := &FieldError{"range", fmt.Sprintf("%q is no span of time such as 24h, 30d, 12w or 1y, of at most %d years.", span, maxYears)}
	if len(span) < 2 || span[0] < '1' || span[0] > '9' {
		return Window{}, wrong
	}
	n, err := strconv.Atoi(span[:len(span)-1])
	if err != nil || n > maxYears*366*24 {
		return Window{}, wrong
	}
	w := Window{To: untilNow(now)}
	switch span[len(span)-1] {
	case 'h':
		w.From = hourOf(now, f.Zone).Add(-time.Duration(n-1) * time.Hour)
	case 'd':
		w.From = f.daysAgo(now, n)
	case 'w':
		w.From = f.daysAgo(now, 7*n)
	case 'y':
		w.From = f.daysAgo(now, 365*n)
	default:
		return Window{}, wrong
	}
	if w.From.Before(now.AddDate(-maxYears, 0, 0)) {
		return Window{}, wrong
	}
	// On the first millisecond of an hour there is something to ask for, too.
	if !w.From.Before(w.To) {
		w.To = w.From.Add(time.Millisecond)
	}
	return Window{w.From.UTC(), w.To}, nil
}

// untilNow is the end of the minute that now is in: so that who asks again
// within it gets the same answer, and is told so by its ETag.
func untilNow(now time.Time) time.Time {
	end := now.UTC().Truncate(time.Minute)
	if end.Before(now) {
		end = end.Add(time.Minute)
	}
	return end
}

// daysAgo is the beginning of the first of n days, today being the last.
func (f *Filter) daysAgo(now time.Time, n int) time.Time {
	if n == 1 {
		return hourOf(now, f.Zone).Add(-23 * time.Hour)
	}
	y, m, d := now.In(f.Zone).Date()
	return time.Date(y, m, d-n+1, 0, 0, 0, 0, f.Zone)
}

// hourOf is the beginning of the hour as clocks in the zone show it.
func hourOf(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

// between reads two instants. Without the second one it is now.
func (f *Filter) between(fromName, from, toName, to string, now time.Time) (w Window, err error) {
	if w.From, err = f.instant(fromName, from, 0); err != nil {
		return Window{}, err
	}
	w.To = untilNow(now)
	if to != "" {
		if w.To, err = f.instant(toName, to, 1); err != nil {
			return Window{}, err
		}
	}
	switch {
	case !w.From.Before(w.To):
		return Window{}, &FieldError{toName, "It must be later than the beginning."}
	case w.From.Before(w.To.AddDate(-maxYears, 0, 0)):
		return Window{}, &FieldError{fromName, fmt.Sprintf("At most %d years can be asked for.", maxYears)}
	}
	return w, nil
}

// instant reads an RFC 3339 time, or a date of the zone: its beginning, or the
// beginning of the day that is so many days later.
func (f *Filter) instant(name, s string, days int) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, s); err == nil {
			t = time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, f.Zone)
		}
	}
	if err != nil || t.Year() < 1970 || t.Year() > 9000 {
		return time.Time{}, &FieldError{name, fmt.Sprintf("%q is neither a date such as 2026-11-20 nor an instant such as 2026-11-20T10:00:00Z.", s)}
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// parseVersus reads the time to compare with: the one before, of the same
// length, if nothing is said.
func (f *Filter) parseVersus(q url.Values, now time.Time) error {
	said, err := only(q, "vs")
	if err != nil {
		return err
	}
	switch said {
	case "", versusPrev:
		f.versus = versusPrev
		f.Versus = Window{f.Window.From.Add(-f.Window.To.Sub(f.Window.From)), f.Window.From}
		return nil
	case versusNone:
		f.versus = versusNone
		return nil
	}
	from, to, found := strings.Cut(said, "..")
	if !found || to == "" {
		return &FieldError{"vs", "It is prev, none, or two instants such as 2026-10-01..2026-10-31."}
	}
	if f.Versus, err = f.between("vs", from, "vs", to, now); err != nil {
		return err
	}
	f.versus = stamp(f.Versus.From) + ".." + stamp(f.Versus.To)
	return nil
}
