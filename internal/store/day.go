package store

import "math"

// None stands in a column of numbers where nothing is known.
const None = math.MinInt64

// dayMS is a day in milliseconds.
const dayMS = 24 * 60 * 60 * 1000

// A Day is the pipelines of a project that were created on one day, and the
// attempts of their jobs, by columns: what questions about jobs need of them.
// Rows that another row tells of (is_superseded) are not in it. Times are Unix
// milliseconds and durations milliseconds.
type Day struct {
	Project   int64
	Day       int64 // in UTC, counted from 1970
	Pipelines DayPipelines
	Attempts  DayAttempts
	Steps     DaySteps // where they were asked for

	base []int64 // of the column that is read or written now
}

// DayPipelines are the pipelines in order of their creation, then their number.
type DayPipelines struct {
	ID, Created                                            []int64
	Wall, Active, PathRetry, PathBlocked, PathGap          []int64 // or None
	E2eStart                                               []int64 // the first start of phase e2e, or None
	IsCreatedKnown, IsDefault, HasRestarts                 []bool
	Workflow, Ref, RefKind, Commit, Trigger, State, Result Texts
	First                                                  []int // the first attempt of each, and at the end how many there are in all
	attempts                                               []int64
}

// DayAttempts are the attempts, pipeline by pipeline.
type DayAttempts struct {
	Started, Finished, Queue, Run, PathRun, PathQueue, Saves            []int64 // or None
	Number                                                              []int64 // 1 is the first try
	IsRetried                                                           []bool
	Name, Stage, State, Result, RunnerID, RunnerName, RunnerTags, Phase Texts // tags as a JSON array
	FailureReason                                                       Texts
}

// DaySteps are the steps of the attempts, attempt by attempt: of each name one,
// with the sum of what the source says that counts (docs/numbers.md).
type DaySteps struct {
	Name  Texts
	MS    []int64 // how long each took
	First []int   // the first step of each attempt, and at the end how many there are in all
	steps []int64
}

// Texts is a column of texts.
type Texts struct {
	Values []string // each once; the first one is empty: nobody said
	Codes  []uint32 // of each row, its place in Values
}

// At is the text of a row; empty: nobody said.
func (t *Texts) At(row int) string { return t.Values[t.Codes[row]] }

// reset makes an empty day of what was one, whose memory it keeps.
func (d *Day) reset(project, day int64) {
	d.Project, d.Day = project, day
	d.columns(emptier{})
	d.stepColumns(emptier{})
}

// A codec does one thing with each column of a day in turn.
type codec interface {
	// rows is told how many rows the next columns have, and says how many they are
	// to have.
	rows(n int) int
	// ascending are numbers of which each is near the one before.
	ascending(column *[]int64)
	// numbers are near those of base, if there is one; None may be among either.
	numbers(column *[]int64, base []int64)
	flags(column *[]bool)
	texts(column *Texts)
}

// columns hands the columns to c. Their order is the form of a packed day: who
// changes it must count up packedForm; the packer then makes all days anew.
func (d *Day) columns(c codec) {
	p, a := &d.Pipelines, &d.Attempts
	c.rows(len(p.Created))
	for _, column := range []*[]int64{&p.Created, &p.ID, &p.attempts} {
		c.ascending(column)
	}
	c.numbers(&p.Wall, nil)
	c.numbers(&p.Active, p.Wall)
	for _, column := range []*[]int64{&p.PathRetry, &p.PathBlocked, &p.PathGap} {
		c.numbers(column, nil)
	}
	c.numbers(&p.E2eStart, p.Created)
	for _, column := range []*[]bool{&p.IsCreatedKnown, &p.IsDefault, &p.HasRestarts} {
		c.flags(column)
	}
	for _, column := range []*Texts{&p.Workflow, &p.Ref, &p.RefKind, &p.Commit, &p.Trigger, &p.State, &p.Result} {
		c.texts(column)
	}
	p.First = firsts(p.First, p.attempts, c.rows(len(a.Started)))
	d.base = d.base[:0]
	for i, created := range p.Created {
		for range p.First[i+1] - p.First[i] {
			d.base = append(d.base, created)
		}
	}
	c.numbers(&a.Started, d.base)
	c.numbers(&a.Finished, a.Started)
	c.numbers(&a.Queue, nil)
	c.numbers(&a.Run, d.between(a.Started, a.Finished))
	c.numbers(&a.PathRun, a.Run)
	c.numbers(&a.PathQueue, a.Queue)
	c.numbers(&a.Saves, a.Run)
	c.numbers(&a.Number, nil)
	c.flags(&a.IsRetried)
	for _, column := range []*Texts{&a.Name, &a.Stage, &a.State, &a.Result, &a.RunnerID, &a.RunnerName, &a.RunnerTags, &a.Phase, &a.FailureReason} {
		c.texts(column)
	}
}

// stepColumns is columns of the steps, which are packed by themselves: few
// questions are about them.
func (d *Day) stepColumns(c codec) {
	s := &d.Steps
	c.rows(len(d.Attempts.Started))
	c.numbers(&s.steps, nil)
	s.First = firsts(s.First, s.steps, c.rows(len(s.MS)))
	c.texts(&s.Name)
	c.numbers(&s.MS, nil)
}

// firsts is the first of the parts of each whole, and at the end how many there
// are in all, which is not more than most. It takes the memory of to.
func firsts(to []int, parts []int64, most int) []int {
	to = append(to[:0], 0)
	sum := 0
	for _, n := range parts {
		sum += int(max(0, min(n, int64(most-sum))))
		to = append(to, sum)
	}
	return to
}

// between is what lies between two columns.
func (d *Day) between(from, to []int64) []int64 {
	d.base = d.base[:0]
	for i := range from {
		n := int64(None)
		if from[i] != None && to[i] != None {
			n = to[i] - from[i]
		}
		d.base = append(d.base, n)
	}
	return d.base
}

// emptier empties columns.
type emptier struct{}

func (emptier) rows(int) int                       { return 0 }
func (emptier) ascending(column *[]int64)          { *column = (*column)[:0] }
func (emptier) numbers(column *[]int64, _ []int64) { *column = (*column)[:0] }
func (emptier) flags(column *[]bool)               { *column = (*column)[:0] }
func (emptier) texts(column *Texts) {
	column.Values, column.Codes = append(column.Values[:0], ""), column.Codes[:0]
}
