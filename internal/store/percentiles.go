package store

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"modernc.org/sqlite"
)

// SQLite has no PERCENTILE_CONT, so it gets one in Go: percentiles(value,
// fractions), where fractions is a JSON array. The answer is a JSON array, too.

const percentilesFunction = "percentiles"

func registerPercentiles(d *sqlite.Driver) error {
	err := d.RegisterFunction(percentilesFunction, &sqlite.FunctionImpl{
		NArgs:         2,
		Deterministic: true,
		MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) { return &percentiles{}, nil },
	})
	if err != nil {
		return fmt.Errorf("register %s: %w", percentilesFunction, err)
	}
	return nil
}

// percentiles is one evaluation of the aggregate.
type percentiles struct {
	values    []float64
	fractions []float64
}

// Step takes the value of a row.
func (p *percentiles) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	if p.fractions == nil {
		text, _ := args[1].(string)
		if err := json.Unmarshal([]byte(text), &p.fractions); err != nil {
			return fmt.Errorf("%s wants a JSON array of fractions: %w", percentilesFunction, err)
		}
	}
	switch v := args[0].(type) {
	case int64:
		p.values = append(p.values, float64(v))
	case float64:
		p.values = append(p.values, v)
	case nil:
	default:
		return fmt.Errorf("%s wants numbers, not a %T", percentilesFunction, v)
	}
	return nil
}

// WindowInverse would take a row away again.
func (p *percentiles) WindowInverse(*sqlite.FunctionContext, []driver.Value) error {
	return errors.New(percentilesFunction + " is no window function")
}

// WindowValue is the result.
func (p *percentiles) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	if len(p.values) == 0 {
		return nil, nil //nolint:nilnil // null is the answer
	}
	slices.Sort(p.values)
	result := make([]float64, len(p.fractions))
	for i, fraction := range p.fractions {
		result[i] = PercentileCont(p.values, fraction)
	}
	text, err := json.Marshal(result)
	return string(text), err
}

// Final frees nothing.
func (p *percentiles) Final(*sqlite.FunctionContext) {}

// PercentileCont is SQL's PERCENTILE_CONT over values in ascending order, of
// which there is at least one: between the two closest it is linear.
func PercentileCont(sorted []float64, fraction float64) float64 {
	at := fraction * float64(len(sorted)-1)
	low := math.Floor(at)
	below, above := sorted[int(low)], sorted[int(math.Ceil(at))]
	return below + (at-low)*(above-below)
}
