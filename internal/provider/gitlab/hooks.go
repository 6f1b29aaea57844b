package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// A Hook is a webhook of a project as it should be.
type Hook struct {
	URL          string
	Secret       string // sent as X-Gitlab-Token; empty: none
	SigningToken string // signs what is sent; empty: none
	VerifyTLS    bool   // GitLab checks our certificate
}

// An Installed says what was done for a hook to be there.
type Installed string

// What was done.
const (
	HookCreated Installed = "created"
	HookChanged Installed = "changed"
	HookEnabled Installed = "enabled again" // GitLab had disabled it, as deliveries failed
	HookKept    Installed = "was there"
)

// A hookAnswer is a webhook as the API tells of it. Secrets are never told.
type hookAnswer struct {
	ID          int64  `json:"id"`
	URL         string `json:"url"`
	Pipelines   bool   `json:"pipeline_events"`
	Jobs        bool   `json:"job_events"`
	Deployments bool   `json:"deployment_events"`
	Pushes      bool   `json:"push_events"`
	VerifyTLS   bool   `json:"enable_ssl_verification"`
	Alert       string `json:"alert_status"` // empty: this GitLab does not say
}

func (a *hookAnswer) isDisabled() bool { return a.Alert != "" && a.Alert != "executable" }

// is tells whether the hook is as it should be, as far as GitLab tells.
func (a *hookAnswer) is(h *Hook) bool {
	return a.Pipelines && a.Jobs && a.Deployments && !a.Pushes && a.VerifyTLS == h.VerifyTLS
}

func (h *Hook) body() map[string]any {
	body := map[string]any{
		"url": h.URL, "pipeline_events": true, "job_events": true, "deployment_events": true, "push_events": false, "enable_ssl_verification": h.VerifyTLS,
	}
	if h.Secret != "" {
		body["token"] = h.Secret
	}
	if h.SigningToken != "" {
		body["signing_token"] = h.SigningToken
	}
	return body
}

// Install makes the webhook of a project what it should be. Called again, it
// changes nothing but the secrets, which nobody can compare. A hook that GitLab
// disabled is enabled again. The token needs the scope api.
func (c *Client) Install(ctx context.Context, p Project, h Hook) (Installed, error) {
	did, err := c.install(ctx, &p, &h)
	if err != nil {
		return "", fmt.Errorf("install the webhook of %s: %w", p.Path, err)
	}
	return did, nil
}

// Mend is Install for a hook whose secrets have not changed: one that is what
// it should be is only looked at.
func (c *Client) Mend(ctx context.Context, p Project, h Hook) (Installed, error) {
	there, err := c.hook(ctx, &p, h.URL)
	if err == nil && there != nil && there.is(&h) && !there.isDisabled() {
		return HookKept, nil
	}
	did := Installed("")
	if err == nil {
		did, err = c.set(ctx, &p, &h, there)
	}
	if err != nil {
		return "", fmt.Errorf("mend the webhook of %s: %w", p.Path, err)
	}
	return did, nil
}

func (c *Client) install(ctx context.Context, p *Project, h *Hook) (Installed, error) {
	there, err := c.hook(ctx, p, h.URL)
	if err != nil {
		return "", err
	}
	return c.set(ctx, p, h, there)
}

// set makes the hook, or makes the one that is there what it should be.
func (c *Client) set(ctx context.Context, p *Project, h *Hook, there *hookAnswer) (Installed, error) {
	if there == nil {
		return HookCreated, c.makeHook(ctx, p, h)
	}
	path := p.path("/hooks/%d", there.ID)
	var now hookAnswer
	if _, err := c.JSON(ctx, rest.Request{Method: http.MethodPut, Path: path, Body: h.body(), Repeatable: true}, &now); err != nil {
		return "", err
	}
	switch {
	case now.isDisabled():
		return HookEnabled, c.enable(ctx, p, h, path)
	case !there.is(h):
		return HookChanged, nil
	}
	return HookKept, nil
}

// hook finds the hook with that address; nil: there is none.
func (c *Client) hook(ctx context.Context, p *Project, address string) (*hookAnswer, error) {
	q := url.Values{"per_page": {strconv.Itoa(perPage)}}
	for page, err := range rest.Pages[hookAnswer](ctx, c.Client, rest.Request{Path: p.path("/hooks"), Query: q}) {
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(page, func(a hookAnswer) bool { return a.URL == address }); i >= 0 {
			return &page[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

func (c *Client) makeHook(ctx context.Context, p *Project, h *Hook) error {
	_, err := c.JSON(ctx, rest.Request{Method: http.MethodPost, Path: p.path("/hooks"), Body: h.body()}, nil)
	return err
}

// enable sends a test, after which GitLab takes the hook for a good one. Where
// that does not help, a new one takes its place.
func (c *Client) enable(ctx context.Context, p *Project, h *Hook, path string) error {
	var now hookAnswer
	_, err := c.JSON(ctx, rest.Request{Method: http.MethodPost, Path: path + "/test/pipeline_events"}, nil)
	if err == nil {
		if _, err = c.JSON(ctx, rest.Request{Path: path}, &now); err == nil && !now.isDisabled() {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.makeHook(ctx, p, h); err != nil {
		return err
	}
	_, err = c.JSON(ctx, rest.Request{Method: http.MethodDelete, Path: path, Repeatable: true}, nil)
	if rest.HasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}
