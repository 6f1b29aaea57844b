package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A findings is all that one run of the bench says.
type findings struct {
	machine machine
	options options
	claims  []claim
	order   []string         // names of the scenarios
	runs    map[string][]run // by name, one a round
	skipped []string         // claims that could not be judged, and why
}

// write prints Markdown.
func (f findings) write(w io.Writer) error {
	var b strings.Builder
	f.writeMachine(&b)
	f.writeTargets(&b)
	f.writeMeasured(&b)
	f.writeStored(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (f findings) writeMachine(b *strings.Builder) {
	m := f.machine
	fmt.Fprintf(b, "Commit %s, %s.\n", m.Commit, m.Generated.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(b, "Machine: %d cores, %s, %s memory, Linux %s, %s fdatasync/s; %s.\n",
		m.Cores, m.Model, m.Memory, m.Kernel, thousands(m.Syncs), m.Go)
	if m.Postgres != "" {
		fmt.Fprintf(b, "PostgreSQL %s. ", m.Postgres)
	}
	fmt.Fprintf(b, "SQLite %s (journal WAL, synchronous FULL in the baseline).\n", m.SQLite)
	fmt.Fprintf(b, "Medians of %d rounds of %s after %s of warm-up, rounds interleaved; in brackets the least and the greatest.\n",
		f.options.rounds, f.options.length, f.options.warmUp)
	for _, s := range f.skipped {
		fmt.Fprintf(b, "**Not run:** %s\n", s)
	}
}

func (f findings) writeTargets(b *strings.Builder) {
	if !slices.ContainsFunc(f.claims, func(c claim) bool { return c.figure != nil }) {
		return
	}
	b.WriteString("\n| what | figure | baseline | ratio | target | met | by CPU |\n|---|---|---|---|---|---|---|\n")
	for _, c := range f.claims {
		if c.figure == nil {
			continue
		}
		v := c.judge(f.runs)
		baseline, value, byCPU := "–", "–", "–"
		if len(v.to) > 0 {
			baseline = v.show(v.baseline.Median)
			value = fmt.Sprintf("%s (%.2f–%.2f)", ratio(v.value.Median), v.value.Min, v.value.Max)
		}
		if v.byCPU.Median > 0 {
			byCPU = ratio(v.byCPU.Median)
		}
		figure := fmt.Sprintf("%s (%s–%s)", v.show(v.figures.Median), v.show(v.figures.Min), v.show(v.figures.Max))
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s |\n", v.what, figure, baseline, value, v.target(), v.met(), byCPU)
	}
}

func (f findings) writeMeasured(b *strings.Builder) {
	b.WriteString("\n| measured | reports/s | p50 | p95 | p99 | max | CPU a report: server | database | generator | peak | idle | database | others' cores | other answers |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range f.order {
		runs := f.runs[name]
		if len(runs) == 0 || runs[0].Elapsed <= 0 || len(runs[0].Answers) == 0 {
			continue
		}
		s := spreadOf(each(runs, perSecond))
		fmt.Fprintf(b, "| %s | %s (%s–%s) | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %.2f | %s |\n", name,
			thousands(s.Median), thousands(s.Min), thousands(s.Max),
			timeOf(runs, func(r run) time.Duration { return r.Accepted.P50 }),
			timeOf(runs, func(r run) time.Duration { return r.Accepted.P95 }),
			timeOf(runs, func(r run) time.Duration { return r.Accepted.P99 }),
			timeOf(runs, func(r run) time.Duration { return r.Accepted.Max }),
			cpuOfReport(runs, func(r run) time.Duration { return r.used.Server }),
			cpuOfReport(runs, func(r run) time.Duration { return r.used.Database }),
			cpuOfReport(runs, func(r run) time.Duration { return r.used.Generator }),
			bytesOf(runs, func(r run) int64 { return r.used.Peak }),
			bytesOf(runs, func(r run) int64 { return r.Idle }),
			bytesOf(runs, func(r run) int64 { return r.used.DBMemory }),
			median(each(runs, func(r run) float64 { return r.used.others() })),
			otherAnswers(runs))
	}
}

// writeStored says whether all that was promised was found.
func (f findings) writeStored(b *strings.Builder) {
	checked, wrong := 0, 0
	for _, name := range f.order {
		for i, r := range f.runs[name] {
			if r.Checked {
				checked++
			}
			if r.Wrong != "" {
				wrong++
				fmt.Fprintf(b, "\n**Wrong** after %s, round %d: %s.", name, i+1, r.Wrong)
			}
		}
	}
	if checked > 0 && wrong == 0 {
		fmt.Fprintf(b, "\nAfter each of %d measurements with a database it held exactly what was answered 200: every pipeline once, with all its rows.\n", checked)
	} else {
		b.WriteString("\n")
	}
}

func each(runs []run, figure func(run) float64) []float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, figure(r))
	}
	return values
}

func timeOf(runs []run, of func(run) time.Duration) string {
	var values []time.Duration
	for _, r := range runs {
		values = append(values, of(r))
	}
	return milliseconds(median(values))
}

func cpuOfReport(runs []run, of func(run) time.Duration) string {
	v := median(each(runs, func(r run) float64 {
		return float64(of(r)) / float64(max(1, r.Answers.accepted()))
	}))
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f ms", v/float64(time.Millisecond))
}

func bytesOf(runs []run, of func(run) int64) string {
	v := median(each(runs, func(r run) float64 { return float64(of(r)) }))
	if v == 0 {
		return "–"
	}
	return megabytes(v)
}

// otherAnswers sums what was neither 200 nor 208 over all rounds.
func otherAnswers(runs []run) string {
	all := tally{}
	for _, r := range runs {
		all.add(r.Answers)
	}
	var parts []string
	for _, name := range all.others("200", "202", "208") {
		parts = append(parts, fmt.Sprintf("%d x %s", all[name], name))
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, ", ")
}

// thousands writes a number without fraction, in groups of three digits.
func thousands(v float64) string {
	digits := strconv.FormatInt(int64(v+0.5), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// milliseconds writes three digits that matter.
func milliseconds(d time.Duration) string {
	ms := d.Seconds() * 1000
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.2f ms", ms)
	}
}
