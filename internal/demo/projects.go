package demo

// A project is one of the three: its CI definition, its runners, its habits.
type project struct {
	name     string
	provider *provider
	workflow string
	runners  [2]int  // for all jobs, and the protected ones
	rate     float64 // pipelines of people on a weekday
	release  float64 // share of merges that are tagged
	topics   []string
	specs    []spec // in an order in which needs come first
}

// A spec is a job of a CI definition.
type spec struct {
	name, stage string
	median      float64 // seconds, besides the steps
	spread      float64 // sigma of the lognormal; long jobs vary less
	steps       []step
	needs       []string
	on          occasion // zero: always
	risk        float64  // share of a change's commits that break it
	retries     int      // tries again by itself after a failure
	flake       float64  // share of attempts that fail for no reason
	optional    bool     // allowed to fail
	manual      bool
	environment string
}

// A step is a timed part of a job.
type step struct {
	name           string
	median, spread float64
	slower         float64 // times longer with the planted commit; zero: the same
}

// An occasion is what a job runs for.
type occasion int

const (
	change   occasion = 1 << iota // a push to a change
	push                          // a merge to the default branch
	schedule                      // every night
	tag
)

// Spread and floor belong together. The rule "got slower?" asks for a quarter
// and 30 s more three times; with a sigma of 0.06 chance does that to a long
// job once in a million, and a short job never gains 30 s.
const (
	long   = 0.06
	middle = 0.08
	short  = 0.12
)

// The planted flake is in contract-tests, which runs beside longer jobs: its
// retries cost the pipeline some minutes but never a quarter.
var projects = [...]project{{
	name: "acme/shop", provider: &gitlab, runners: [2]int{4, 4}, rate: 34,
	topics: []string{"basket", "checkout", "search", "voucher", "login", "images", "shipping", "returns"},
	specs: []spec{
		{name: "build-e2e", stage: "build", median: 250, spread: long, risk: 0.02},
		{name: "build-assets", stage: "build", median: 85, spread: middle, risk: 0.01},
		{name: "e2e-lint", stage: "test", median: 35, spread: short, risk: 0.03},
		{name: "unit", stage: "test", median: 170, spread: long, risk: 0.05},
		{name: "coverage", stage: "test", median: 40, spread: short, needs: []string{"unit"}, risk: 0.08, optional: true},
		{name: "e2e:checkout", stage: "test", median: 12, spread: short, needs: []string{"build-e2e", "build-assets"}, risk: 0.03, steps: []step{{"pull", 32, 0.15, 0}, {"up", 62, middle, 4.8}, {"e2e", 310, long, 0}}},
		{name: "e2e:search", stage: "test", median: 12, spread: short, needs: []string{"build-e2e", "build-assets"}, risk: 0.02, steps: []step{{"pull", 31, 0.15, 0}, {"up", 58, 0.12, 0}, {"e2e", 225, long, 0}}},
		{name: "e2e:account", stage: "test", median: 12, spread: short, needs: []string{"build-e2e", "build-assets"}, risk: 0.02, steps: []step{{"pull", 31, 0.15, 0}, {"up", 60, 0.12, 0}, {"e2e", 180, long, 0}}},
		{name: "dependency-scan", stage: "scan", median: 190, spread: long, on: schedule},
		{name: "deploy-staging", stage: "deploy", median: 75, spread: middle, needs: []string{"e2e:checkout", "e2e:search", "e2e:account", "unit"}, on: push, risk: 0.03, environment: "staging"},
		{name: "deploy-production", stage: "deploy", median: 95, spread: middle, needs: []string{"deploy-staging"}, on: push, risk: 0.06, optional: true, manual: true, environment: "production"},
	},
}, {
	name: "acme/orders-api", provider: &gitlab, runners: [2]int{3, 4}, rate: 26,
	topics: []string{"invoices", "stock", "payments", "events", "schema", "limits", "audit"},
	specs: []spec{
		{name: "image", stage: "build", median: 200, spread: long, risk: 0.02},
		{name: "lint", stage: "check", median: 48, spread: short, risk: 0.04},
		{name: "unit", stage: "check", median: 130, spread: long, risk: 0.05},
		{name: "integration 1/2", stage: "test", median: 425, spread: long, needs: []string{"image"}, risk: 0.03},
		{name: "integration 2/2", stage: "test", median: 440, spread: long, needs: []string{"image"}, risk: 0.03},
		{name: "contract-tests", stage: "test", median: 235, spread: long, needs: []string{"image"}, risk: 0.01, retries: 1, flake: 0.06},
		{name: "deploy-staging", stage: "deploy", median: 90, spread: middle, needs: []string{"integration 1/2", "integration 2/2", "contract-tests", "lint", "unit"}, on: push, risk: 0.03, environment: "staging"},
		{name: "deploy-production", stage: "deploy", median: 110, spread: long, needs: []string{"deploy-staging"}, on: push, risk: 0.06, optional: true, manual: true, environment: "production"},
	},
}, {
	name: "acme/money", provider: &github, workflow: "ci", runners: [2]int{6, 0}, rate: 9, release: 0.2,
	topics: []string{"rounding", "currencies", "parser", "docs", "format"},
	specs: []spec{
		{name: "lint", median: 42, spread: short, risk: 0.05},
		{name: "test (stable)", median: 150, spread: long, risk: 0.05},
		{name: "test (oldstable)", median: 165, spread: long, risk: 0.05},
		{name: "bench", median: 95, spread: middle, on: schedule},
		{name: "publish", median: 38, spread: short, needs: []string{"lint", "test (stable)", "test (oldstable)"}, on: tag, environment: "registry"},
	},
}}
