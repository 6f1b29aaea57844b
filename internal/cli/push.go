package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/push"
)

// inJob is the flags of the commands that run inside a job.
type inJob struct{ system, dir string }

func (j *inJob) flags(fs *pflag.FlagSet) {
	fs.StringVar(&j.system, "ci", "auto", "whose environment to read: `auto`, none, "+strings.Join(push.Systems(), ", "))
	fs.StringVar(&j.dir, "spool", "", "a `directory` for marks and for what could not be sent yet\n(default pipeline-metrics-collector in the user's cache directory)")
}

// current is what the CI system says of the job, and the job's marks.
func (j *inJob) current(e *env) (r ci.Report, known bool, marks push.Marks, err error) {
	if j.system != "auto" && j.system != "none" && !slices.Contains(push.Systems(), j.system) {
		return r, false, marks, &usageError{fmt.Errorf("--ci must be auto, none, or one of %s, not %q", strings.Join(push.Systems(), ", "), j.system)}
	}
	if j.dir == "" {
		j.dir = e.cacheDir()
	}
	here, err := os.Getwd()
	if err != nil {
		return r, false, marks, fmt.Errorf("find the working directory: %w", err)
	}
	r, known = push.Current(j.system, e.lookup)
	return r, known, push.MarksOf(j.dir, &r, here), nil
}

// cacheDir is a directory of the user's that outlives a job.
func (e *env) cacheDir() string {
	cache, _ := e.lookup("XDG_CACHE_HOME")
	if home, _ := e.lookup("HOME"); cache == "" && home != "" {
		cache = filepath.Join(home, ".cache")
	}
	if cache == "" {
		return filepath.Join(os.TempDir(), program+"-"+strconv.Itoa(os.Getuid()))
	}
	return filepath.Join(cache, program)
}

// pushing is the flags of push.
type pushing struct {
	inJob

	url, project, pipeline, job, jobID, result string
	wait                                       time.Duration
	fail                                       bool
}

func (e *env) pushCommand() *cobra.Command {
	p := &pushing{}
	cmd := &cobra.Command{
		Use:   "push [FILE|-]",
		Short: "Send reports from inside a job",
		Long: `Send the reports of FILE, or of standard input, to a server: one report in JSON, an
array of them, or one a line (docs/push.md). What they leave out is taken from the
CI system's environment. Without FILE it sends what is known of the job that it runs
in. Steps that were marked (see "mark") are sent as steps of that job.

The token is taken from PMC_TOKEN, or from the file that PMC_TOKEN_FILE names.

What can't be sent waits on disk, and goes with the next push. The status is 0
whatever happens, so that no build fails because of it, but with --fail.`,
		Example: `  pipeline-metrics-collector push --url https://metrics.example.com
  pipeline-metrics-collector push --url https://metrics.example.com report.json
  ./report | pipeline-metrics-collector push - --project acme/shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), e, args) },
	}
	fs := cmd.Flags()
	fs.StringVar(&p.url, "url", "", "the server's `URL`")
	p.flags(fs)
	fs.StringVar(&p.project, "project", "", "the project's full `path`, where the reports and the CI system do not say")
	fs.StringVar(&p.pipeline, "pipeline", "", "the pipeline's `id`, likewise: a number, or a text")
	fs.StringVar(&p.job, "job", "", "the job's `name`, likewise")
	fs.StringVar(&p.jobID, "job-id", "", "the job's `id`, likewise; on GitHub give ${{ job.check_run_id }}")
	fs.StringVar(&p.result, "result", "", "how the job ended, where the CI system does not say: `success`, failure, error, timeout, cancelled or skipped")
	fs.DurationVar(&p.wait, "wait", 30*time.Second, "how long to try")
	fs.BoolVar(&p.fail, "fail", false, "end with status 1 where something was not sent")
	return cmd
}

func (p *pushing) run(ctx context.Context, e *env, args []string) error {
	result, err := p.push(ctx, e, args)
	if result.Sent > 0 {
		fmt.Fprintf(e.stdout, "Sent: %d.\n", result.Sent)
	}
	if result.Waiting > 0 {
		fmt.Fprintf(e.stderr, "Waiting in %s for the next push: %d.\n", p.dir, result.Waiting)
	}
	if err == nil && result.Refused > 0 {
		err = fmt.Errorf("%d reports were refused", result.Refused)
	}
	if err != nil && !p.fail && !errors.As(err, new(*usageError)) {
		fmt.Fprintf(e.stderr, "%s: not sent: %v\n", program, err)
		return nil
	}
	return err
}

func (p *pushing) push(ctx context.Context, e *env, args []string) (result push.Result, err error) {
	current, known, marks, err := p.current(e)
	if err != nil {
		return result, err
	}
	steps, err := marks.Steps(time.Now())
	if err != nil {
		return result, err
	}
	if err := p.correct(&current, steps); err != nil {
		return result, err
	}
	token, err := e.secret("PMC_TOKEN")
	if err != nil {
		return result, err
	}
	in, err := p.input(args, &current)
	if err != nil {
		return result, err
	}
	if in != nil {
		defer func() { _ = in.Close() }() // it was only read
	}
	c := push.Config{
		URL: p.url, Token: token, Dir: p.dir, Wait: p.wait, Current: current,
		Tell: func(format string, args ...any) { fmt.Fprintf(e.stderr, format+"\n", args...) },
	}
	if in == nil {
		result, err = push.Push(ctx, c, nil)
	} else {
		result, err = push.Push(ctx, c, in)
	}
	if err == nil && !known && len(steps) > 0 {
		err = marks.Remove() // of a directory, they would be the next job's, too
	}
	return result, err
}

// input opens what args name. Nil: there is a current job, and it is sent alone.
func (p *pushing) input(args []string, current *ci.Report) (io.ReadCloser, error) {
	switch {
	case len(args) == 0 && current.Project == "":
		return nil, errors.New("this is no job of a CI system that is known: give a FILE, or --project and --pipeline")
	case len(args) == 0:
		return nil, nil //nolint:nilnil // no file is an answer
	case args[0] == "-":
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, fmt.Errorf("the reports can't be read: %w", err)
	}
	return f, nil
}

// correct sets what the flags say of the current job, and its steps.
func (p *pushing) correct(current *ci.Report, steps []ci.Step) error {
	current.Project = cmp.Or(p.project, current.Project)
	if p.pipeline != "" {
		current.Pipeline.ID, current.Pipeline.ExternalID = 0, p.pipeline
		if n, err := strconv.ParseInt(p.pipeline, 10, 64); err == nil && n > 0 {
			current.Pipeline.ID, current.Pipeline.ExternalID = n, ""
		}
	}
	if p.job != "" || p.jobID != "" || p.result != "" || len(steps) > 0 {
		if len(current.Jobs) == 0 {
			current.Jobs = []ci.Attempt{{}}
		}
	}
	if len(current.Jobs) == 0 {
		return nil
	}
	a := &current.Jobs[0]
	a.Name, a.ID, a.Steps = cmp.Or(p.job, a.Name), cmp.Or(p.jobID, a.ID), steps
	if p.result != "" && !push.Ended(a, p.result) {
		return &usageError{fmt.Errorf("--result must be success, failure, error, timeout, cancelled or skipped, not %q", p.result)}
	}
	push.Timed(a, time.Now())
	return nil
}
