package analytics

import (
	"fmt"
	"math"
	"strings"
)

// A Budget says how slow a metric may be.
type Budget struct {
	MaxS        *float64 // seconds that the percentile may reach; nil: no matter
	MaxIncrease *float64 // share by which it may be above the base: 0.2; nil: no matter
	Least       int      // values on a side that are needed to judge it
}

// A Verdict is what a budget says of a comparison.
type Verdict struct {
	Exceeded bool
	Reasons  []string // why, as sentences; or why it can't be judged
	text     []string
	rows     [][3]string
}

// Judge holds a comparison against a budget.
func (c *Comparison) Judge(b Budget) Verdict {
	a := &c.Asked
	head, base := 0, 0
	if a.Head != nil {
		head = a.Head.Count
	}
	if a.Base != nil {
		base = a.Base.Count
	}
	v := Verdict{}
	v.say(c, a, head, base)
	if head < max(1, b.Least) {
		v.Reasons = append(v.Reasons, fmt.Sprintf("Too few to judge: %s, and %d are needed.", pipelines(head), max(1, b.Least)))
		return v
	}
	name := figure(a)
	if b.MaxS != nil && *a.HeadS > *b.MaxS {
		v.exceed("%s is %s, %s over the %s that are allowed.", name, lasting(*a.HeadS), lasting(*a.HeadS-*b.MaxS), lasting(*b.MaxS))
	}
	switch {
	case b.MaxIncrease == nil:
	case base < max(1, b.Least):
		v.Reasons = append(v.Reasons, fmt.Sprintf("The increase can't be judged: %s to compare with, and %d are needed.", pipelines(base), max(1, b.Least)))
	case *a.HeadS > *a.BaseS*(1+*b.MaxIncrease):
		v.exceed("%s rose by %s, from %s to %s; %s are allowed.", name, percent(*a.HeadS / *a.BaseS - 1), lasting(*a.BaseS), lasting(*a.HeadS), percent(*b.MaxIncrease))
	}
	return v
}

func (v *Verdict) exceed(format string, args ...any) {
	v.Exceeded = true
	v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...))
}

// say puts down the figures and what changed.
func (v *Verdict) say(c *Comparison, a *Asked, head, base int) {
	name := figure(a)
	side := func(s Side, seconds *float64, n int) string {
		if seconds == nil {
			return fmt.Sprintf("%s: no value of %s on %s", s.days(), a.Metric, s.on())
		}
		return fmt.Sprintf("%s: %s of %s on %s is %s (%s)", s.days(), name, a.Metric, s.on(), lasting(*seconds), pipelines(n))
	}
	v.text = append(v.text, side(c.Head, a.HeadS, head), side(c.Base, a.BaseS, base))
	v.rows = append(v.rows, row(c.Head, a.HeadS, head), row(c.Base, a.BaseS, base))
	if a.Gain == nil {
		return
	}
	change := more(a.Gain.ChangeS)
	if *a.BaseS > 0 {
		change += " (" + signed(a.Gain.ChangeS / *a.BaseS) + ")"
	}
	between := ""
	if i := a.Gain.Interval; i != nil {
		between = fmt.Sprintf("between %s and %s with 95 %% confidence", more(i.LowS), more(i.HighS))
	}
	v.text = append(v.text, strings.TrimSuffix("change: "+change+", "+between, ", "))
	v.rows = append(v.rows, [3]string{"change", change, between})
	v.text = append(v.text, c.slower()...)
}

// slower names the parts that got slower, at most three.
func (c *Comparison) slower() []string {
	var all []string
	if c.Attribution != nil {
		for _, p := range c.Attribution.Parts {
			if len(all) < 3 && p.ChangeS >= 1 {
				all = append(all, "slower: "+p.words()+", "+more(p.ChangeS)+" of the mean wall time's "+more(c.Attribution.TotalS))
			}
		}
		return all
	}
	for _, j := range c.Jobs {
		if len(all) < 3 && j.Mean != nil && j.Mean.ChangeS >= 1 {
			all = append(all, "slower: "+j.Metric+", "+more(j.Mean.ChangeS)+" in the mean")
		}
	}
	return all
}

// words names a part of the wall time.
func (s Share) words() string {
	switch s.Part {
	case PartRun:
		return s.jobName()
	case PartQueue:
		return s.jobName() + " waiting for a runner"
	case PartRetry:
		return "attempts that were retried"
	case PartBlocked:
		return "waiting for people"
	}
	return "time in which nothing ran or waited for a runner"
}

// String is the verdict for a terminal.
func (v *Verdict) String() string {
	return strings.Join(append(append([]string{}, v.text...), v.verdict()...), "\n") + "\n"
}

func (v *Verdict) verdict() []string {
	word := "within the budget"
	if v.Exceeded {
		word = "OVER THE BUDGET"
	}
	return append([]string{word}, v.Reasons...)
}

// Markdown is the verdict as a comment on a merge request.
func (v *Verdict) Markdown(title string) string {
	var b strings.Builder
	b.WriteString("### " + plain(title) + ": ")
	if v.Exceeded {
		b.WriteString("over the budget\n\n")
	} else {
		b.WriteString("within the budget\n\n")
	}
	for _, r := range v.Reasons {
		b.WriteString("**" + plain(r) + "**\n\n")
	}
	b.WriteString("| | figure | from |\n|---|---|---|\n")
	for _, r := range v.rows {
		b.WriteString("| " + plain(r[0]) + " | " + plain(r[1]) + " | " + plain(r[2]) + " |\n")
	}
	for _, line := range v.text {
		if rest, ok := strings.CutPrefix(line, "slower: "); ok {
			b.WriteString("\n- slower: " + plain(rest))
		}
	}
	return strings.TrimSuffix(b.String(), "\n") + "\n"
}

// plain is text that Markdown takes for nothing else: names come from others.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ':
			b.WriteByte(' ')
			continue
		case strings.ContainsRune("\\`*_[]<>|#~@!&$", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func row(s Side, seconds *float64, n int) [3]string {
	if seconds == nil {
		return [3]string{s.on(), "none", "0 values, " + s.days()}
	}
	return [3]string{s.on(), lasting(*seconds), pipelines(n) + ", " + s.days()}
}

func pipelines(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

// figure is "p80".
func figure(a *Asked) string { return strings.TrimSuffix(percentileName(a.Percentile), "_s") }

// on names the refs and workflows of a side.
func (s Side) on() string {
	names := append([]string{}, s.Refs...)
	for i, n := range names {
		switch n {
		case DefaultRef:
			names[i] = "the default branch"
		case AnyRef:
			names[i] = "all refs"
		case ChangeRef:
			names[i] = "all changes"
		}
	}
	on := strings.Join(names, ", ")
	if len(s.Workflows) > 0 {
		on += " (" + strings.Join(s.Workflows, ", ") + ")"
	}
	return on
}

// days are the dates of a side.
func (s Side) days() string {
	return s.From.String()[:10] + " to " + s.To.String()[:10]
}

func percent(share float64) string {
	return fmt.Sprintf("%g %%", math.Round(share*1000)/10)
}

func signed(share float64) string {
	if share < 0 {
		return percent(share)
	}
	return "+" + percent(share)
}
