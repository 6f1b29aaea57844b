package grafana_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A view is what a reader of a dashboard has chosen. expand does to a query
// what Grafana does: first the variables, then its own names, then its macros.
type view struct {
	from, to  time.Time
	interval  string // such as "6h"
	variables map[string][]string
}

var (
	asStrings = regexp.MustCompile(`\$\{([a-z_]+):sqlstring\}`)
	asIs      = regexp.MustCompile(`\$\{?([a-z][a-z_]*)\}?`)
	// Arguments end at the first closing parenthesis, as in Grafana.
	macro   = regexp.MustCompile(`\$__([A-Za-z]+)\(([^)]*)\)(\s*,)?`)
	comment = regexp.MustCompile(`--[^\n]*|(?s:/\*.*?\*/)`)
)

// expand returns the SQL that Grafana would send.
func (v view) expand(query string) (string, error) {
	var err error
	fail := func(format string, args ...any) string {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
		return ""
	}
	query = asStrings.ReplaceAllStringFunc(query, func(s string) string {
		name := asStrings.FindStringSubmatch(s)[1]
		values, known := v.variables[name]
		if !known {
			return fail("no variable %s", name)
		}
		return sqlStrings(values)
	})
	query = asIs.ReplaceAllStringFunc(query, func(s string) string {
		values, known := v.variables[asIs.FindStringSubmatch(s)[1]]
		switch {
		case !known:
			return fail("no variable %s", s)
		case len(values) == 1:
			return values[0] // one string: how it is quoted depends on the version
		}
		return sqlStrings(values)
	})
	query = comment.ReplaceAllString(query, "")
	step, bad := interval(v.interval)
	if bad != nil {
		return "", bad
	}
	query = strings.NewReplacer(
		"$__interval_ms", strconv.FormatInt(step.Milliseconds(), 10),
		"$__interval", v.interval,
		"$__unixEpochFrom()", strconv.FormatInt(v.from.Unix(), 10),
		"$__unixEpochTo()", strconv.FormatInt(v.to.Unix(), 10),
	).Replace(query)
	query = macro.ReplaceAllStringFunc(query, func(s string) string {
		m := macro.FindStringSubmatch(s)
		out, bad := v.macro(m[1], m[2], m[3])
		if bad != nil {
			return fail("%w", bad)
		}
		return out
	})
	return query, err
}

func (v view) macro(name, args, comma string) (string, error) {
	first, rest, _ := strings.Cut(args, ",")
	first = strings.TrimSpace(first)
	from, to := v.from.UTC().Format(time.RFC3339Nano), v.to.UTC().Format(time.RFC3339Nano)
	switch name {
	case "timeFilter":
		return fmt.Sprintf("%s BETWEEN '%s' AND '%s'%s", first, from, to, comma), nil
	case "timeFrom":
		return "'" + from + "'" + comma, nil
	case "timeTo":
		return "'" + to + "'" + comma, nil
	case "timeGroup", "timeGroupAlias":
		every, _, _ := strings.Cut(rest, ",") // what follows is how gaps are filled, after the query
		step, err := interval(strings.Trim(strings.TrimSpace(every), `'"`))
		if err != nil {
			return "", err
		}
		group := fmt.Sprintf("floor(extract(epoch from %s)/%d)*%[2]d", first, int(step.Seconds()))
		if name == "timeGroupAlias" || comma != "" {
			group += ` AS "time"`
		}
		return group + comma, nil
	case "time":
		return first + ` AS "time"` + comma, nil
	case "timeEpoch":
		return "extract(epoch from " + first + `) AS "time"` + comma, nil
	case "unixEpochFilter":
		return fmt.Sprintf("%s >= %d AND %s <= %d%s", first, v.from.Unix(), first, v.to.Unix(), comma), nil
	}
	return "", fmt.Errorf("unknown macro $__%s", name)
}

// interval reads Grafana's short durations, such as 1m, 6h, 1d.
func interval(s string) (time.Duration, error) {
	units := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	if s == "" {
		return 0, errors.New("no interval")
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	unit, known := units[s[len(s)-1:]]
	if err != nil || !known || n < 1 {
		return 0, fmt.Errorf("%q is no interval", s)
	}
	return time.Duration(n) * unit, nil
}

// sqlStrings quotes each value as a string of SQL.
func sqlStrings(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	return strings.Join(out, ",")
}

func TestExpand(t *testing.T) {
	t.Parallel()
	v := view{
		from:     time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC),
		to:       time.Date(2023, 7, 1, 0, 0, 0, 0, time.FixedZone("", 7*3600)),
		interval: "6h",
		variables: map[string][]string{
			"one": {"test/project"}, "two": {"a", "b'c"}, "none": {},
		},
	}
	for in, want := range map[string]string{
		"$__timeFilter(created_at) AND x":      "created_at BETWEEN '2023-06-01T00:00:00Z' AND '2023-06-30T17:00:00Z' AND x",
		"$__timeFrom() $__timeTo()":            "'2023-06-01T00:00:00Z' '2023-06-30T17:00:00Z'",
		"$__timeGroup(c, '5m') AS x":           "floor(extract(epoch from c)/300)*300 AS x",
		"$__timeGroup(c,'5m'), x":              `floor(extract(epoch from c)/300)*300 AS "time", x`,
		"$__timeGroupAlias(c, $__interval), x": `floor(extract(epoch from c)/21600)*21600 AS "time", x`,
		"$__timeGroupAlias(c,'1d',NULL)":       `floor(extract(epoch from c)/86400)*86400 AS "time"`,
		"$__interval_ms":                       "21600000",
		"$__time(c), x":                        `c AS "time", x`,
		"$__timeEpoch(c)":                      `extract(epoch from c) AS "time"`,
		"$__unixEpochFilter(c)":                "c >= 1685577600 AND c <= 1688144400",
		"p = '$one' OR '${one}'":               "p = 'test/project' OR 'test/project'",
		"IN (${one:sqlstring})":                "IN ('test/project')",
		"IN (${two:sqlstring})":                "IN ('a','b''c')",
		"IN ($two)":                            "IN ('a','b''c')",
		"ARRAY[${none:sqlstring}]":             "ARRAY[]",
		"x -- $__nonsense(\ny /* $__z() */":    "x \ny ",
	} {
		got, err := v.expand(in)
		if err != nil || got != want {
			t.Errorf("expand(%q)\n got %q, %v\nwant %q", in, got, err, want)
		}
	}
	for _, in := range []string{"$__nonsense(x)", "$unknown", "${unknown:sqlstring}", "$__timeGroup(c, 5x) AS x"} {
		if got, err := v.expand(in); err == nil {
			t.Errorf("expand(%q) = %q, want an error", in, got)
		}
	}
}
