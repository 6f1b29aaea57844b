package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

func (e *env) hooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "Make a CI system call the server",
		Args:  cobra.NoArgs,
	}
	install := &cobra.Command{
		Use:   "install",
		Short: "Make the webhooks of projects",
		Args:  cobra.NoArgs,
	}
	install.AddCommand(e.hooksGitLabCommand())
	cmd.AddCommand(install)
	return cmd
}

// hooking is the flags of hooks install gitlab.
type hooking struct {
	gitlabAccess
	logging

	baseURL   string
	verifyTLS bool
}

func (e *env) hooksGitLabCommand() *cobra.Command {
	h := &hooking{}
	cmd := &cobra.Command{
		Use:   "gitlab",
		Short: "Make GitLab's webhooks",
		Long: `Make the webhook of each project, so that GitLab tells the server of pipelines and
jobs. Run it as often as you like: one that is there is set right, and one that
GitLab disabled is enabled again.

GitLab's token is taken from PMC_GITLAB_TOKEN; it needs the scope api, and its
owner must be a maintainer. The secret of the webhooks is the server's
PMC_GITLAB_WEBHOOK_SECRET (the first, if there are two); one that begins with
whsec_ signs what is sent.`,
		Example: `  pipeline-metrics-collector hooks install gitlab --gitlab-url https://gitlab.example.com \
    --group acme --base-url https://metrics.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.run(cmd.Context(), e) },
	}
	h.gitlabAccess.flags(cmd.Flags())
	cmd.Flags().StringVar(&h.baseURL, "base-url", "", "the `URL` by which GitLab reaches the server")
	cmd.Flags().BoolVar(&h.verifyTLS, "verify-tls", true, "let GitLab check the server's certificate")
	h.logging.flags(cmd.Flags())
	return cmd
}

// gitlabHook is the webhook as it should be.
func (e *env) gitlabHook(baseURL string, verifyTLS bool) (gitlab.Hook, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return gitlab.Hook{}, &usageError{errors.New("--base-url must be like https://metrics.example.com")}
	}
	secrets, err := e.webhookSecrets()
	if err != nil {
		return gitlab.Hook{}, err
	}
	if len(secrets["gitlab"]) == 0 {
		return gitlab.Hook{}, &usageError{fmt.Errorf("%s is not set: give the hooks the secret that the server knows", webhookVariable("gitlab"))}
	}
	hook := gitlab.Hook{URL: base.JoinPath("api/v1/webhooks/gitlab").String(), VerifyTLS: verifyTLS}
	if secret := secrets["gitlab"][0]; strings.HasPrefix(secret, "whsec_") {
		hook.SigningToken = secret
	} else {
		hook.Secret = secret
	}
	return hook, nil
}

func (h *hooking) run(ctx context.Context, e *env) error {
	log, _, err := h.logger(e.stderr)
	if err != nil {
		return err
	}
	hook, err := e.gitlabHook(h.baseURL, h.verifyTLS)
	if err != nil {
		return err
	}
	client, err := h.client(e, "", log)
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	projects, err := h.find(ctx, client)
	if err != nil {
		return err
	}
	failed := 0
	for _, p := range projects {
		did, err := client.Install(ctx, p, hook)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed++
			fmt.Fprintf(e.stderr, "%s: %v\n", p.Path, err)
			continue
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", p.Path, did)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d projects have no webhook; the token needs the scope api, and its owner must be a maintainer", failed, len(projects))
	}
	return nil
}
