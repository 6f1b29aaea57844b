package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const defaultListen = "127.0.0.1:5000"

// serving is the flags of serve.
type serving struct {
	database
	logging
	reconciling
	signingIn
	definitions

	listen, tlsCert, tlsKey, baseURL, anonymous, framers string
	maxBody                                              size
	maxConcurrent, deliveryDays                          int
	shutdownDelay, shutdownTimeout                       time.Duration
}

func (e *env) serveCommand() *cobra.Command {
	s := &serving{maxBody: 8 << 20}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take reports and answer questions",
		Long: `Take reports and answer questions, until SIGTERM or SIGINT: then the requests
under way finish, the last reports are committed, and it ends with status 0. A
second signal ends it at once.

On a loopback address it works without tokens. On any other it wants a token
(see "token create"), or one by environment (PMC_INGEST_TOKEN, PMC_READ_TOKEN,
PMC_ADMIN_TOKEN; with _FILE added, the name of a file that holds it), or
--allow-anonymous.`,
		Example: `  # SQLite in the working directory, on http://127.0.0.1:5000
  pipeline-metrics-collector serve

  # PostgreSQL; the password may stand in the URL, too
  PGPASSWORD=... pipeline-metrics-collector serve --database postgres://pmc@db/metrics

  # Open to the network, with a token that may only send reports
  PMC_INGEST_TOKEN_FILE=/run/secrets/ingest pipeline-metrics-collector serve --listen 0.0.0.0:5000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), e) },
	}
	s.flags(cmd.Flags())
	return cmd
}

func (s *serving) flags(fs *pflag.FlagSet) {
	fs.StringVar(&s.listen, "listen", defaultListen, "the `address` to listen on")
	s.database.flags(fs)
	s.logging.flags(fs)
	s.reconciling.flags(fs)
	s.signingIn.flags(fs)
	s.definitions.flags(fs)
	fs.StringVar(&s.tlsCert, "tls-cert", "", "a PEM `file` with the certificate, to serve HTTPS")
	fs.StringVar(&s.tlsKey, "tls-key", "", "a PEM `file` with the certificate's key")
	fs.StringVar(&s.baseURL, "base-url", "", "the `URL` by which people reach the server, if it is not the listener's")
	fs.StringVar(&s.anonymous, "allow-anonymous", "", "what may be done without a token: `ingest`, read, both joined by a comma, or none\n(default: ingest,read from this machine on a loopback address, else none)")
	fs.StringVar(&s.framers, "frame-ancestors", "", "the `sites` that may show the pages in a frame, such as https://backstage.example.com")
	fs.Var(&s.maxBody, "max-body", "the greatest `size` of a request's body")
	fs.IntVar(&s.maxConcurrent, "max-concurrent", 4096, "the greatest `number` of requests at once; more are answered 503")
	fs.IntVar(&s.deliveryDays, "delivery-days", 14, "how many `days` the bodies of webhooks are kept, to be read again; 0: for ever")
	fs.DurationVar(&s.shutdownDelay, "shutdown-delay", 0, "how long readiness is red before the listener closes")
	fs.DurationVar(&s.shutdownTimeout, "shutdown-timeout", 15*time.Second, "how long requests under way may take to finish when the server stops")
}

func (s *serving) run(ctx context.Context, e *env) error {
	log, isText, err := s.logger(e.stderr)
	if err != nil {
		return err
	}
	c, err := s.config(e)
	if err != nil {
		return err
	}
	if c.Sources, err = s.sources(e, s.baseURL, log); err != nil {
		return err
	}
	c.Log, c.Store = log, s.store(log)
	if c.Store.Definitions, err = s.ci(); err != nil {
		return err
	}
	srv, err := server.New(ctx, c)
	if err != nil {
		return err
	}
	if isText {
		s.greet(e, srv)
	}
	log.InfoContext(ctx, "listening", "url", srv.URL(), "address", srv.Addr().String(), "database", withoutSecrets(s.name), "version", c.Version)
	err = srv.Run(ctx)
	if errors.Is(err, server.ErrNoToken) {
		return s.howToOpen(err)
	}
	if err != nil {
		return err
	}
	log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return nil
}

// howToOpen says what to type for a server that others can reach.
func (s *serving) howToOpen(err error) error {
	database := ""
	if s.name != defaultDatabase {
		database = " --database '" + withoutSecrets(s.name) + "'"
	}
	return fmt.Errorf(`%w.
Do one of these, and start it again:

  %[2]s token create --name ci --scope ingest%[3]s
      makes a token that may send reports; --scope read makes one that may see them

  export PMC_INGEST_TOKEN=$(openssl rand -hex 32)
      is one that is not kept; PMC_READ_TOKEN and PMC_ADMIN_TOKEN are such, too

  %[2]s serve --listen %[4]s --allow-anonymous ingest,read
      lets everybody who reaches %[4]s send reports and see them`, err, program, database, s.listen)
}

func (s *serving) config(e *env) (server.Config, error) {
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return server.Config{}, &usageError{errors.New("--tls-cert and --tls-key must be given together")}
	}
	if s.maxConcurrent < 1 {
		return server.Config{}, &usageError{errors.New("--max-concurrent must be at least 1")}
	}
	if s.deliveryDays < 0 || s.deliveryDays > maxDays {
		return server.Config{}, &usageError{fmt.Errorf("--delivery-days must be 0 to %d", maxDays)}
	}
	if s.migrate != "auto" && s.migrate != "check" {
		return server.Config{}, &usageError{fmt.Errorf("--migrate must be auto or check, not %q", s.migrate)}
	}
	if strings.ContainsAny(s.framers, ";,\r\n") {
		return server.Config{}, &usageError{fmt.Errorf("--frame-ancestors must be sites with spaces between them, not %q", s.framers)}
	}
	if base, err := url.Parse(s.baseURL); err != nil || s.baseURL != "" && (base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
		return server.Config{}, &usageError{fmt.Errorf("--base-url must be like https://metrics.example.com, not %q", s.baseURL)}
	}
	anonymous, err := parseAnonymous(s.anonymous)
	if err != nil {
		return server.Config{}, &usageError{fmt.Errorf("--allow-anonymous: %w", err)}
	}
	secrets, err := e.webhookSecrets()
	if err != nil {
		return server.Config{}, err
	}
	tokens, err := e.tokens()
	if err != nil {
		return server.Config{}, err
	}
	c := server.Config{
		Listen: s.listen, TLSCert: s.tlsCert, TLSKey: s.tlsKey, BaseURL: strings.TrimSuffix(s.baseURL, "/"),
		Anonymous: anonymous, Tokens: tokens, WebhookSecrets: secrets,
		MaxBody: int64(s.maxBody), MaxConcurrent: s.maxConcurrent,
		Keep:           retention(s.deliveryDays),
		ReconcileEvery: s.every, ReconcileSince: s.since,
		ShutdownDelay: s.shutdownDelay, ShutdownTimeout: s.shutdownTimeout, Version: version(), FrameAncestors: s.framers,
	}
	return c, s.signingIn.config(e, &c)
}

// parseAnonymous returns nil where nothing was said.
func parseAnonymous(s string) (store.Scopes, error) {
	switch s {
	case "":
		return nil, nil
	case "none":
		return store.Scopes{}, nil
	}
	return store.ParseScopes(s)
}

// greet tells people where the server is and what to try.
func (s *serving) greet(e *env, srv *server.Server) {
	fmt.Fprintf(e.stderr, `
  Pipeline metrics collector %s
  listens on  %s
  keeps in    %s

  Send a first report:

  %s

`, version(), srv.URL(), withoutSecrets(s.name), strings.ReplaceAll(srv.Example(), "\n", "\n  "))
}

// tokenVariables are the tokens that the environment may give.
var tokenVariables = []struct {
	name  string
	scope store.Scope
}{
	{"PMC_INGEST_TOKEN", store.ScopeIngest},
	{"PMC_READ_TOKEN", store.ScopeRead},
	{"PMC_ADMIN_TOKEN", store.ScopeAdmin},
}

// tokens reads the tokens from the environment.
func (e *env) tokens() ([]server.Token, error) {
	var all []server.Token
	for _, v := range tokenVariables {
		secret, err := e.secret(v.name)
		if err != nil {
			return nil, err
		}
		if secret != "" {
			all = append(all, server.Token{Name: v.name, Secret: secret, Scope: v.scope})
		}
	}
	return all, nil
}

// webhookVariable is the variable of a provider's webhook secrets.
func webhookVariable(provider string) string {
	return "PMC_" + strings.ToUpper(provider) + "_WEBHOOK_SECRET"
}

// webhookSecrets reads the secrets of webhooks from the environment. While one
// is replaced, there may be two with a space between them.
func (e *env) webhookSecrets() (map[string][]string, error) {
	all := map[string][]string{}
	for _, name := range provider.WebhookNames() {
		variable := webhookVariable(name)
		secrets, err := e.secret(variable)
		if err != nil {
			return nil, err
		}
		hook, _ := provider.FindWebhook(name)
		for secret := range strings.FieldsSeq(secrets) {
			if err := hook.CheckSecret(secret); err != nil {
				return nil, fmt.Errorf("%s: %w", variable, err)
			}
			all[name] = append(all[name], secret)
		}
	}
	return all, nil
}

// secret reads a secret from its variable, or from the file that the variable
// with _FILE names. Empty: there is none.
func (e *env) secret(name string) (string, error) {
	secret, _ := e.lookup(name)
	file, _ := e.lookup(name + "_FILE")
	if file == "" {
		return secret, nil
	}
	if secret != "" {
		return "", fmt.Errorf("%s and %s_FILE are both set: give one", name, name)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("%s_FILE can't be read: %w", name, err)
	}
	if secret = strings.TrimSpace(string(text)); secret == "" {
		return "", fmt.Errorf("%s_FILE names an empty file", name)
	}
	return secret, nil
}
