package analytics

import (
	"testing"
	"time"
)

// An hour of the week is that on the clocks of the zone, at any time that can
// be stored.
func TestHoursOfTheWeek(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []*time.Location{time.UTC, berlin, time.FixedZone("", -9*3600-1800)} {
		w := &waits{zone: zone, cell: -1}
		for _, at := range []string{"0001-01-08T00:30:00Z", "1950-02-03T04:05:06Z", "1969-12-20T23:59:59Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-11-30T10:00:00Z"} {
			instant, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			local := instant.In(zone)
			want := int64((int(local.Weekday())+6)%7*24 + local.Hour())
			n := w.hour(instant.UnixMilli())
			if n%168 != want {
				t.Errorf("%s is in hour %d of the week of %s, want %d", at, n%168, zone, want)
			}
			l := latestHour{}
			l.add(n, w.offset, instant.UnixMilli())
			if start := l.start(); start.After(instant) || instant.Sub(start) >= time.Hour || start.In(zone).Minute() != 0 {
				t.Errorf("the hour of %s in %s begins at %s", at, zone, start)
			}
		}
	}
}
