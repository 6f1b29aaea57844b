package analytics

import "time"

// In an outage, failures say nothing of a job.
const (
	outageWindow = 30 * time.Minute
	outageShare  = 0.8 // of the attempts in the window failed
	outageLeast  = 10  // attempts that ended in the window
)

// A tally is how many attempts ended in a window of time, and how many failed.
type tally struct {
	window        int64 // milliseconds of its end since 1970, divided by the window's length
	ended, failed int64
}

// isOutage tells whether nearly everything failed.
func (t tally) isOutage() bool {
	return t.ended >= outageLeast && float64(t.failed) >= outageShare*float64(t.ended)
}

// outages joins neighbouring windows, which are in order, to spans.
func outages(tallies []tally) []Window {
	all := []Window{}
	for _, t := range tallies {
		if !t.isOutage() {
			continue
		}
		from := time.UnixMilli(t.window * outageWindow.Milliseconds()).UTC()
		if n := len(all); n > 0 && all[n-1].To.Equal(from) {
			all[n-1].To = from.Add(outageWindow)
			continue
		}
		all = append(all, Window{from, from.Add(outageWindow)})
	}
	return all
}
