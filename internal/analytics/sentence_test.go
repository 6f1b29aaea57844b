package analytics_test

import (
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

func TestDurationsInWords(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{
		0: "0s", 0.04: "0s", 8.44: "8.4s", 9.949: "9.9s", 9.951: "10s", 59.4: "59s", 59.6: "1m 00s", 595: "9m 55s", 3599.6: "1h 00m", 3720: "1h 02m", 400_000: "4d 15h", -75: "-1m 15s",
	} {
		if got := analytics.Lasting(seconds); got != want {
			t.Errorf("%g s: %q, want %q", seconds, got, want)
		}
	}
	for at, want := range map[string]string{"2026-11-01T23:30:00Z": "Mon 2 Nov", "2025-11-04T12:00:00Z": "Tue 4 Nov 2025"} {
		day, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		if got := analytics.Day(day, now, berlin); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}
