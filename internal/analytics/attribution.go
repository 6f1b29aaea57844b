package analytics

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// The kinds of parts that a pipeline's wall time falls into along its critical
// path.
const (
	PartRun     = "run"     // of a job on the path
	PartQueue   = "queue"   // of a job on the path
	PartRetry   = "retry"   // only attempts ran that were retried
	PartBlocked = "blocked" // everything waited for a person or a delay
	PartGap     = "gap"     // nothing of all that
)

// A part names one of them; Job is empty for those that belong to no job.
type part struct{ kind, job string }

// A side is the wall time of some pipelines, and the same in parts, in whole
// milliseconds: so sums are exact.
type side struct {
	pipelines int64
	wallMS    int64
	squares   squares // of the wall times
	parts     map[part]int64
}

// An Attribution says what made the mean wall time of pipelines change. The
// parts sum exactly to the total.
type Attribution struct {
	PipelinesBefore int64   `json:"pipelines_before"`
	PipelinesAfter  int64   `json:"pipelines_after"`
	BeforeS         float64 `json:"before_s"` // the mean
	AfterS          float64 `json:"after_s"`
	TotalS          float64 `json:"total_s"` // after minus before
	// Interval is that of TotalS, with 95 % confidence; null where a side has less
	// than five pipelines.
	Interval *SecondsInterval `json:"interval"`
	Parts    []Share          `json:"parts"` // the largest first, by size without sign
}

// A Share is what one part adds to a change.
type Share struct {
	Part    string  `json:"part"` // run, queue, retry, blocked or gap
	Job     *string `json:"job"`  // of run and queue
	BeforeS float64 `json:"before_s"`
	AfterS  float64 `json:"after_s"`
	ChangeS float64 `json:"change_s"`
}

// attribute splits the difference between the means of two sides over parts.
// A side without pipelines gives nil: there is nothing to compare.
func attribute(before, after side) *Attribution {
	if before.pipelines == 0 || after.pipelines == 0 {
		return nil
	}
	a := &Attribution{
		PipelinesBefore: before.pipelines, PipelinesAfter: after.pipelines,
		BeforeS: meanS(before.wallMS, before.pipelines), AfterS: meanS(after.wallMS, after.pipelines),
		TotalS: seconds(meanChange(before, after, before.wallMS, after.wallMS)), Parts: []Share{},
	}
	if min(before.pipelines, after.pipelines) >= fewValues {
		half := normal95 * math.Sqrt(before.meanError()+after.meanError())
		a.Interval = &SecondsInterval{a.TotalS - half, a.TotalS + half}
	}
	known := maps.Clone(before.parts)
	maps.Copy(known, after.parts)
	for p := range known {
		s := Share{
			Part: p.kind, BeforeS: meanS(before.parts[p], before.pipelines), AfterS: meanS(after.parts[p], after.pipelines),
			ChangeS: seconds(meanChange(before, after, before.parts[p], after.parts[p])),
		}
		if p.kind == PartRun || p.kind == PartQueue {
			s.Job = &p.job
		}
		a.Parts = append(a.Parts, s)
	}
	slices.SortFunc(a.Parts, func(x, y Share) int {
		return cmp.Or(cmp.Compare(math.Abs(y.ChangeS), math.Abs(x.ChangeS)), cmp.Compare(x.Part, y.Part), cmp.Compare(x.jobName(), y.jobName()))
	})
	return a
}

// meanError is the square of the standard error of the mean wall time, in
// seconds, as meanError has it of values.
func (s *side) meanError() float64 {
	n := float64(s.pipelines)
	mean := float64(s.wallMS) / n
	return max(0, s.squares.float()/n-mean*mean) / (n - 1) / 1e6
}

// squares is an exact sum of squares of numbers that are not negative, whatever
// their order.
type squares struct{ high, low uint64 }

func (s *squares) add(n int64) {
	high, low := bits.Mul64(uint64(n), uint64(n))
	var carry uint64
	s.low, carry = bits.Add64(s.low, low, 0)
	s.high += high + carry
}

func (s *squares) float() float64 { return math.Ldexp(float64(s.high), 64) + float64(s.low) }

// meanChange is the exact difference of two means, in milliseconds: of whole
// numbers, so that what sums on each side sums in the difference.
func meanChange(before, after side, beforeMS, afterMS int64) *big.Rat {
	return new(big.Rat).Sub(big.NewRat(afterMS, after.pipelines), big.NewRat(beforeMS, before.pipelines))
}

func seconds(ms *big.Rat) float64 {
	s, _ := new(big.Rat).Quo(ms, big.NewRat(1000, 1)).Float64()
	return s
}

// meanS is milliseconds over a count, in seconds.
func meanS(ms, count int64) float64 { return seconds(big.NewRat(ms, count)) }

func (s Share) jobName() string {
	if s.Job == nil {
		return ""
	}
	return *s.Job
}
