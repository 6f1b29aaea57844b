package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// definitions is the flags that say how words are read.
type definitions struct {
	phases    phases
	lateAfter time.Duration
}

func (d *definitions) flags(fs *pflag.FlagSet) {
	d.phases.Phases = ci.DefaultPhases()
	fs.Var(&d.phases, "phases", "the phases of projects without their own, as `YAML` or JSON; in a configuration file, a list (default the original's build and e2e)")
	fs.DurationVar(&d.lateAfter, "late-after", ci.DefaultLateAfter, "how long after the end of a pipeline's first pass an attempt may be created and still count to it")
}

func (d *definitions) ci() (*ci.Definitions, error) {
	by := ci.Definitions{Phases: d.phases.Phases, LateAfter: d.lateAfter}
	if err := by.Validate(); err != nil {
		return nil, &usageError{fmt.Errorf("the phases or --late-after: %w", err)}
	}
	return &by, nil
}

// phases is a flag that holds a list of phases.
type phases struct{ ci.Phases }

// Type names the flag's value.
func (*phases) Type() string { return "YAML" }

// String is empty: the defaults are said in words.
func (*phases) String() string { return "" }

// Set reads the list. Unknown keys are errors.
func (p *phases) Set(text string) error {
	var list []struct {
		Name    string   `yaml:"name"`
		Stages  []string `yaml:"stages"`
		Jobs    []string `yaml:"jobs"`
		NotJobs []string `yaml:"not_jobs"`
		Steps   []string `yaml:"steps"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), &list, yaml.Strict()); err != nil {
		return errors.New("must be a list of phases, each with a name and lists of patterns: stages, jobs, not_jobs, steps: " + yaml.FormatError(err, false, false))
	}
	p.Phases = ci.Phases{}
	for _, one := range list {
		p.Phases = append(p.Phases, ci.Phase{Name: one.Name, Stages: one.Stages, Jobs: one.Jobs, NotJobs: one.NotJobs, Steps: one.Steps})
	}
	return nil
}
