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
	Started, Finished, Queue, Run, PathRun, PathQueue, Saves     []int64 // or None
	IsRetried                                                    []bool
	Name, Stage, State, Result, RunnerID, RunnerName, RunnerTags Texts // tags as a JSON array
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
	d.Pipelines.First = d.Pipelines.First[:0]
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
// changes it must count up packedForm.
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
	d.place(c.rows(len(a.Started)))
	c.numbers(&a.Started, d.base)
	c.numbers(&a.Finished, a.Started)
	c.numbers(&a.Queue, nil)
	c.numbers(&a.Run, d.between(a.Started, a.Finished))
	c.numbers(&a.PathRun, a.Run)
	c.numbers(&a.PathQueue, a.Queue)
	c.numbers(&a.Saves, a.Run)
	c.flags(&a.IsRetried)
	for _, column := range []*Texts{&a.Name, &a.Stage, &a.State, &a.Result, &a.RunnerID, &a.RunnerName, &a.RunnerTags} {
		c.texts(column)
	}
}

// place finds which of the attempts are of which pipeline; base is when that
// was created.
func (d *Day) place(attempts int) {
	p := &d.Pipelines
	d.base, p.First = d.base[:0], append(p.First[:0], 0)
	for i, n := range p.attempts {
		for range min(n, int64(attempts-len(d.base))) {
			d.base = append(d.base, p.Created[i])
		}
		p.First = append(p.First, len(d.base))
	}
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
