package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxPosted is how many reports are sent together.
const maxPosted = 100

// SaveIn saves reports in a store.
func SaveIn(s *store.Store) func(context.Context, []ci.Report) error {
	return func(ctx context.Context, reports []ci.Report) error {
		for _, r := range reports {
			if _, err := s.Save(ctx, r); err != nil {
				return fmt.Errorf("save pipeline %d of %s: %w", r.Pipeline.ID, r.Project, err)
			}
		}
		return nil
	}
}

// SaveAt sends reports to a server of ours.
func SaveAt(c *rest.Client) func(context.Context, []ci.Report) error {
	return func(ctx context.Context, reports []ci.Report) error {
		for len(reports) > 0 {
			n := min(len(reports), maxPosted)
			if err := post(ctx, c, reports[:n]); err != nil {
				return err
			}
			reports = reports[n:]
		}
		return nil
	}
}

func post(ctx context.Context, c *rest.Client, reports []ci.Report) error {
	// Sending a report again changes nothing.
	r := rest.Request{Method: http.MethodPost, Path: "/api/v1/reports", Body: reports, Repeatable: true}
	_, err := c.Stream(ctx, r, func(body io.Reader) error { return refused(body, len(reports)) })
	if err != nil {
		return fmt.Errorf("send to the server: %w", err)
	}
	return nil
}

// refused is why the server did not take one of the reports.
func refused(body io.Reader, sent int) error {
	var answers []struct {
		Status  int
		Problem struct{ Title, Detail string }
	}
	if err := json.NewDecoder(body).Decode(&answers); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if len(answers) != sent {
		return &rest.StatusError{Status: http.StatusNotFound, Method: http.MethodPost, Path: "/api/v1/reports", Message: "this is not a server of this program"}
	}
	for _, a := range answers {
		if a.Status >= http.StatusBadRequest {
			return &rest.StatusError{Status: a.Status, Method: http.MethodPost, Path: "/api/v1/reports", Message: cmp.Or(a.Problem.Detail, a.Problem.Title)}
		}
	}
	return nil
}
