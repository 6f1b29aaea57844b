package ci

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A register is one field, or a few that only mean something together, of
// which a record keeps the word with the greatest rank.
type register[T any] struct {
	said func(*T) bool
	take func(stored, message *T)
	text func(*T) string // equal texts are equal values, also after a trip through the database
	end  bool            // about how an attempt ended: a finished message ranks first
}

// Positions in these lists are stored with every pipeline: append only.
var (
	pipelineRegisters = []register[Report]{
		text(func(r *Report) *string { return &r.Provider }),
		text(func(r *Report) *string { return &r.Pipeline.ExternalID }),
		text(func(r *Report) *string { return &r.Pipeline.Workflow }),
		text(func(r *Report) *string { return &r.Pipeline.URL }),
		text(func(r *Report) *string { return &r.Pipeline.Ref }),
		text(func(r *Report) *string { return &r.Pipeline.RefKind }),
		text(func(r *Report) *string { return &r.Pipeline.DefaultBranch }),
		text(func(r *Report) *string { return &r.Pipeline.Commit }),
		text(func(r *Report) *string { return &r.Pipeline.ChangeID }),
		text(func(r *Report) *string { return &r.Pipeline.Trigger }),
		status(func(r *Report) (*State, *Result, *string) {
			return &r.Pipeline.State, &r.Pipeline.Result, &r.Pipeline.RawStatus
		}),
		instant(func(r *Report) *time.Time { return &r.Pipeline.CreatedAt }),
		instant(func(r *Report) *time.Time { return &r.Pipeline.StartedAt }),
		instant(func(r *Report) *time.Time { return &r.Pipeline.FinishedAt }),
		instant(func(r *Report) *time.Time { return &r.Pipeline.UpdatedAt }),
		encoded(func(r *Report) **Parent { return &r.Pipeline.Parent }, func(p *Parent) bool { return p != nil }),
	}
	attemptRegisters = []register[Attempt]{
		text(func(a *Attempt) *string { return &a.Name }),
		text(func(a *Attempt) *string { return &a.Stage }),
		text(func(a *Attempt) *string { return &a.Kind }),
		optional(func(a *Attempt) **bool { return &a.AllowFailure }, strconv.FormatBool),
		optional(func(a *Attempt) **bool { return &a.Manual }, strconv.FormatBool),
		instant(func(a *Attempt) *time.Time { return &a.CreatedAt }),
		text(func(a *Attempt) *string { return &a.Environment }),
		encoded(func(a *Attempt) *[]string { return &a.Needs }, func(n []string) bool { return n != nil }),
		text(func(a *Attempt) *string { return &a.URL }),
		optional(func(a *Attempt) **float64 { return &a.QueuedS }, wholeMillis),
		instant(func(a *Attempt) *time.Time { return &a.StartedAt }),
		encoded(func(a *Attempt) **Runner { return &a.Runner }, func(r *Runner) bool { return r != nil }),
		end(status(func(a *Attempt) (*State, *Result, *string) { return &a.State, &a.Result, &a.RawStatus })),
		end(text(func(a *Attempt) *string { return &a.FailureReason })),
		end(instant(func(a *Attempt) *time.Time { return &a.FinishedAt })),
		end(optional(func(a *Attempt) **float64 { return &a.DurationS }, wholeMillis)),
		steps(StepsReported),
		steps(StepsSections),
		steps(StepsMarkers),
	}
)

// The positions that Derive asks for.
const (
	createdRegister = 11
	startedRegister = 12
	statusRegister  = 10
	needsRegister   = 7 // of an attempt
	triggerRegister = 9
)

// ReadWhole is as of when the CI system's API told all of a pipeline; zero:
// it was not asked for it. Where the API tells of another pipeline, it may
// mention this one with its time of change, but not with what triggered it.
func (rs Ranks) ReadWhole() time.Time {
	if r := rs.at(triggerRegister); r.Source == API {
		return time.UnixMilli(r.AsOf).UTC()
	}
	return time.Time{}
}

func end[T any](r register[T]) register[T] {
	r.end = true
	return r
}

func text[T any](at func(*T) *string) register[T] {
	return register[T]{
		said: func(v *T) bool { return *at(v) != "" },
		take: func(stored, message *T) { *at(stored) = *at(message) },
		text: func(v *T) string { return *at(v) },
	}
}

func instant[T any](at func(*T) *time.Time) register[T] {
	return register[T]{
		said: func(v *T) bool { return !at(v).IsZero() },
		take: func(stored, message *T) { *at(stored) = *at(message) },
		text: func(v *T) string { return strconv.FormatInt(at(v).UnixMilli(), 10) },
	}
}

func optional[T, V any](at func(*T) **V, format func(V) string) register[T] {
	return register[T]{
		said: func(v *T) bool { return *at(v) != nil },
		take: func(stored, message *T) { *at(stored) = *at(message) },
		text: func(v *T) string { return format(**at(v)) },
	}
}

func encoded[T, V any](at func(*T) *V, said func(V) bool) register[T] {
	return register[T]{
		said: func(v *T) bool { return said(*at(v)) },
		take: func(stored, message *T) { *at(stored) = *at(message) },
		text: func(v *T) string { return encode(*at(v)) },
	}
}

// status holds state, result and raw status together: the result of one
// message beside the state of another would be a thing that nobody said. Of
// two messages of one instant, the one that is further on its way stays: times
// in whole seconds often can't tell the start of something from its end.
func status[T any](at func(*T) (*State, *Result, *string)) register[T] {
	return register[T]{
		said: func(v *T) bool {
			state, result, raw := at(v)
			return *state != "" || *result != "" || *raw != ""
		},
		take: func(stored, message *T) {
			state, result, raw := at(stored)
			s, r, w := at(message)
			*state, *result, *raw = *s, *r, *w
		},
		text: func(v *T) string {
			state, result, raw := at(v)
			return way[*state] + "/" + *raw + "/" + string(*result) + "/" + string(*state)
		},
	}
}

// way is how far each state is on the way. Queued and blocked are equally far,
// as a job may go from one to the other and back; there the words of the
// provider decide, of which GitLab's happen to be in their order: created,
// manual, pending.
var way = map[State]string{Unknown: "1", Queued: "2", Blocked: "2", Running: "3", Finished: "4"}

// steps holds all steps that one message read in one source.
func steps(source StepSource) register[Attempt] {
	of := func(a *Attempt) []Step {
		var mine []Step
		for _, s := range a.Steps {
			if s.Source == source {
				mine = append(mine, s)
			}
		}
		return mine
	}
	return register[Attempt]{
		said: func(a *Attempt) bool {
			return slices.ContainsFunc(a.Steps, func(s Step) bool { return s.Source == source })
		},
		take: func(stored, message *Attempt) {
			kept := slices.DeleteFunc(slices.Clone(stored.Steps), func(s Step) bool { return s.Source == source })
			stored.Steps = append(kept, of(message)...)
			slices.SortStableFunc(stored.Steps, func(a, b Step) int {
				return slices.Index(stepSources, a.Source) - slices.Index(stepSources, b.Source)
			})
		},
		text: func(a *Attempt) string {
			var all string
			var allSb160 strings.Builder
			for _, s := range of(a) {
				at := ""
				if !s.StartedAt.IsZero() {
					at = strconv.FormatInt(s.StartedAt.UnixMilli(), 10)
				}
				allSb160.WriteString(encode([]string{s.Name, at, wholeMillis(s.DurationS)}))
			}
			all += allSb160.String()
			return all
		},
	}
}

var stepSources = []StepSource{StepsReported, StepsSections, StepsMarkers}

// wholeMillis is seconds as the database keeps them.
func wholeMillis(s float64) string { return strconv.FormatInt(Millis(s), 10) }

// Millis is a duration in seconds as whole milliseconds, rounded half away
// from zero.
func Millis(seconds float64) int64 { return int64(math.Round(seconds * 1000)) }

// encode is the JSON of values that can't fail to encode.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// ForgetUnsaid clears the fields that nobody said; a stored column may hold
// what was derived in the place of a word.
func (rec *Record) ForgetUnsaid() { forget(pipelineRegisters, &rec.Words, rec.Ranks) }

// ForgetUnsaid clears the fields that nobody said.
func (a *AttemptRecord) ForgetUnsaid() {
	steps := a.Steps // kept in a table of their own, never derived
	forget(attemptRegisters, &a.Attempt, a.Ranks)
	a.Steps = steps
}

func forget[T any](registers []register[T], stored *T, ranks Ranks) {
	var nothing T
	for i, r := range registers {
		if !ranks.said(i) {
			r.take(stored, &nothing)
		}
	}
}
