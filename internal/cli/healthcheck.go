package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func (e *env) healthcheckCommand() *cobra.Command {
	var listen, cert, config string
	var ready bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a server on this machine how it is",
		Long: `Ask the server on this machine how it is, and end with status 0 where it is well.
It is for containers, which have no curl. Give it the environment of the server.`,
		Example: "  pipeline-metrics-collector healthcheck --ready",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			path := "/livez"
			if ready {
				path = "/readyz"
			}
			return probe(ctx, listen, path, cert != "")
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&listen, "listen", defaultListen, "the `address` that the server listens on")
	fs.StringVar(&cert, "tls-cert", "", "the `file` of its certificate, if it serves HTTPS")
	fs.StringVar(&config, "config", "", "the YAML `file` of its settings")
	fs.BoolVar(&ready, "ready", false, "ask whether it takes requests (/readyz), not only whether it lives (/livez)")
	fs.DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

func probe(ctx context.Context, listen, path string, secure bool) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return &usageError{fmt.Errorf("--listen: %w", err)}
	}
	switch host { // a name would need /etc/hosts, which an image need not have
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	transport := &http.Transport{DisableKeepAlives: true}
	scheme := "http"
	if secure {
		scheme = "https"
		// It asks itself: the name in the certificate is for others.
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("no server answers: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return nil
}
