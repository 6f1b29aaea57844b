package analytics

import (
	"math"
	"strconv"
	"time"
)

// lasting is a duration in words as people say it: "8.4s", "9m 55s", "1h 02m".
func lasting(seconds float64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if seconds < 9.95 {
		return sign + strconv.FormatFloat(math.Round(seconds*10)/10, 'f', -1, 64) + "s"
	}
	whole := int64(math.Round(seconds))
	switch {
	case whole < 60:
		return sign + strconv.FormatInt(whole, 10) + "s"
	case whole < 3600:
		return sign + strconv.FormatInt(whole/60, 10) + "m " + twoDigits(whole%60) + "s"
	case whole < 100*3600:
		return sign + strconv.FormatInt(whole/3600, 10) + "h " + twoDigits(whole%3600/60) + "m"
	}
	return sign + strconv.FormatInt(whole/86400, 10) + "d " + twoDigits(whole%86400/3600) + "h"
}

func twoDigits(n int64) string {
	if n < 10 {
		return "0" + strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10)
}

// more is a change in words: "+2m 43s".
func more(seconds float64) string {
	if seconds < 0 {
		return lasting(seconds)
	}
	return "+" + lasting(seconds)
}

// day is a date in words, with the year where it is not that of now.
func day(t, now time.Time, zone *time.Location) string {
	if t, now = t.In(zone), now.In(zone); t.Year() != now.Year() {
		return t.Format("Mon 2 Jan 2006")
	}
	return t.In(zone).Format("Mon 2 Jan")
}

// short is a commit as people write it.
func short(commit string) string { return commit[:min(8, len(commit))] }

// count is a whole number in words.
func count(n int64) string { return strconv.FormatInt(n, 10) }
