package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (e *env) collectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Read the past out of a CI system",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(e.collectGitLabCommand())
	return cmd
}

// parseSince reads an instant, or how long ago it is: 180d, 36h, 2026-01-31, or
// RFC 3339. Empty: none.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if digits, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(digits); err == nil && n >= 0 && n <= 36_500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("%q is no time: write 180d, 36h, 2026-01-31 or 2026-01-31T10:00:00Z", text)}
}
