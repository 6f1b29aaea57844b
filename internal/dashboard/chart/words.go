package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Unit says how numbers are written and which ticks they get.
type Unit int

// The units.
const (
	Seconds Unit = iota
	Count
	Percent // 0 to 100
)

// Minus is the sign of numbers under zero.
const Minus = "−"

// Duration writes seconds as people say them: "1h 04m", "9m 55s", "42s",
// "0.4s", and "2d 3h" beyond two days.
func Duration(seconds float64) string {
	if !finite(seconds) {
		return "–"
	}
	sign := ""
	if seconds < 0 {
		sign, seconds = Minus, -seconds
	}
	s := int64(math.Min(math.Round(seconds), 1e15))
	switch {
	case seconds == 0:
		return "0s"
	case seconds < 0.95:
		return sign + strconv.FormatFloat(math.Max(seconds, 0.1), 'f', 1, 64) + "s"
	case s < 60:
		return fmt.Sprintf("%s%ds", sign, s)
	case s < 3600:
		return fmt.Sprintf("%s%dm %02ds", sign, s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%s%dh %02dm", sign, s/3600, s%3600/60)
	}
	return fmt.Sprintf("%s%dd %dh", sign, s/86400, s%86400/3600)
}

// Signed writes a difference with its sign: "+1m 02s", "−8s".
func Signed(u Unit, v float64) string {
	s := u.String(v)
	if v > 0 {
		return "+" + s
	}
	return s
}

// String writes a value in the unit.
func (u Unit) String(v float64) string {
	if !finite(v) {
		return "–"
	}
	switch u {
	case Seconds:
		return Duration(v)
	case Percent:
		if v == 0 || v == 100 {
			return signed(v, 0) + " %"
		}
		return signed(v, 1) + " %"
	default:
		if v == math.Trunc(v) {
			return grouped(signed(v, 0))
		}
		return signed(v, 1)
	}
}

// grouped sets a comma between thousands, as in 16,342.
func grouped(digits string) string {
	number := strings.TrimPrefix(digits, Minus)
	sign := strings.TrimSuffix(digits, number)
	for i := len(number) - 3; i > 0; i -= 3 {
		number = number[:i] + "," + number[i:]
	}
	return sign + number
}

func signed(v float64, n int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', n, 64)
	if v < 0 && s != "0" && s != "0.0" {
		return Minus + s
	}
	return s
}

// Short writes a value as short as can be, as axes do.
func (u Unit) Short(v float64) string { return u.axis(v) }

// axis writes a tick, as short as can be.
func (u Unit) axis(v float64) string {
	if u == Percent {
		return decimals(v, 1) + " %"
	}
	if u == Count {
		return count(v)
	}
	n := int64(v)
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return decimals(v, 2) + "s"
	case n < 60:
		return decimals(v, 1) + "s"
	case n < 3600 && n%60 == 0:
		return fmt.Sprintf("%dm", n/60)
	case n < 3600:
		return fmt.Sprintf("%dm%02d", n/60, n%60)
	case n < 86400 && n%3600 == 0:
		return fmt.Sprintf("%dh", n/3600)
	case n < 86400:
		return fmt.Sprintf("%dh%02d", n/3600, n%3600/60)
	case n%86400 == 0:
		return fmt.Sprintf("%dd", n/86400)
	}
	return fmt.Sprintf("%dd%02dh", n/86400, n%86400/3600)
}

func count(v float64) string {
	switch {
	case v >= 1e6:
		return decimals(v/1e6, 1) + "M"
	case v >= 1e4:
		return decimals(v/1e3, 1) + "k"
	}
	return decimals(v, 2)
}
