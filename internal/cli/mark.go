package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// endMark is the name that begins no step.
const endMark = "end"

func (e *env) markCommand() *cobra.Command {
	j := &inJob{}
	cmd := &cobra.Command{
		Use:   "mark NAME",
		Short: "Note that a step of the job begins",
		Long: `Note that a step of this job begins; the one before it ends. "mark end" ends it
without another. "push" sends how long each took, so that no log has to be read.

The status is 0 whatever happens, so that no build fails because of it.`,
		Example: `  pipeline-metrics-collector mark up
  docker compose up -d --wait
  pipeline-metrics-collector mark e2e
  npm run e2e
  pipeline-metrics-collector mark end
  pipeline-metrics-collector push --url https://metrics.example.com`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if name == endMark {
				name = ""
			}
			_, _, marks, err := j.current(e)
			if err == nil {
				err = marks.Add(name, time.Now())
			}
			if err != nil {
				fmt.Fprintf(e.stderr, "%s: not marked: %v\n", program, err)
			}
			return nil
		},
	}
	j.flags(cmd.Flags())
	return cmd
}
