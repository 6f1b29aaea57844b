package ci

import (
	"fmt"
	"strconv"
	"strings"
)

// Ranks are stored as text. As most registers of a row come from one or two
// messages, each rank is written once with a bit set of its registers:
// "1700000000000.2.0:3ff,1700000005000.2.1:f000" (instant, source, finished,
// registers in hexadecimal).

// String is the stored form.
func (rs Ranks) String() string {
	if len(rs) == 0 {
		return ""
	}
	var b strings.Builder
	for i, r := range rs {
		if r.Source == 0 || rs.firstOf(r) < i {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		finished := 0
		if r.Finished {
			finished = 1
		}
		var set uint64
		for j, o := range rs {
			if o == r {
				set |= 1 << j
			}
		}
		fmt.Fprintf(&b, "%d.%d.%d:%x", r.AsOf, r.Source, finished, set)
	}
	return b.String()
}

func (rs Ranks) firstOf(r Rank) int {
	for i, o := range rs {
		if o == r {
			return i
		}
	}
	return len(rs)
}

// ParseRanks reads the stored form of n registers.
func ParseRanks(s string, n int) (Ranks, error) {
	if s == "" {
		return nil, nil
	}
	rs := make(Ranks, n)
	for part := range strings.SplitSeq(s, ",") {
		rank, registers, _ := strings.Cut(part, ":")
		set, err := strconv.ParseUint(registers, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("ranks %q: %w", s, err)
		}
		fields := strings.Split(rank, ".")
		if len(fields) != 3 {
			return nil, fmt.Errorf("ranks %q: want instant.source.finished", s)
		}
		asOf, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("ranks %q: %w", s, err)
		}
		source, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("ranks %q: %w", s, err)
		}
		for i := range rs {
			if set&(1<<i) != 0 {
				rs[i] = Rank{AsOf: asOf, Source: Source(source), Finished: fields[2] == "1"}
			}
		}
	}
	return rs, nil
}

// ParsePipelineRanks reads the stored ranks of a pipeline.
func ParsePipelineRanks(s string) (Ranks, error) { return ParseRanks(s, len(pipelineRegisters)) }

// ParseAttemptRanks reads the stored ranks of an attempt.
func ParseAttemptRanks(s string) (Ranks, error) { return ParseRanks(s, len(attemptRegisters)) }
