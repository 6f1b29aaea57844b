package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"html"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// No log line has a secret, at any level, whichever way it came.
func TestLogsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		s := storetest.Open(t, database)
		stored, err := s.CreateToken(t.Context(), "ci", store.Scopes{store.ScopeIngest})
		if err != nil {
			t.Fatal(err)
		}
		p := serve(t, database, everywhere, withTokens)
		for _, change := range []func(*http.Request){
			bearer(stored), bearer(ingestToken), bearer("secret-guess"),
			func(r *http.Request) { r.SetBasicAuth("x", readToken) },
			func(r *http.Request) { r.URL.RawQuery = "token=secret-query" },
			func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "/api/v1/webhooks/gitlab", "token=secret-query" },
			func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "/api/v1/cdevents", "access_token=secret-query" },
			header("X-Gitlab-Token", "secret-header"),
		} {
			p.do(t, http.MethodPost, "/save_metrics", example(t), change, header("X-Request-Id", "seen"))
		}
		p.stop()
		if err := p.ended(t); err != nil {
			t.Fatal(err)
		}
		logs := p.logs.String()
		if strings.Count(logs, `"path":"/save_metrics"`) != 6 || strings.Count(logs, `"request_id":"seen"`) < 7 {
			t.Errorf("the requests are not in the log:\n%s", logs)
		}
		for _, secret := range []string{stored, stored[4:20], ingestToken, readToken, "secret-", "token="} {
			if strings.Contains(logs, secret) {
				t.Errorf("%q is in the log:\n%s", secret, logs)
			}
		}
	})
}

// A request id of the caller is kept where it can do no harm.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	for id, kept := range map[string]bool{"a-1_B.2": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "<a>": false, "": false} {
		got := p.do(t, http.MethodGet, "/", "", header("X-Request-Id", id)).header.Get("X-Request-Id")
		if (got == id) != kept || got == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

// Who wants a page is told in one what is wrong; a program gets a document.
func TestProblemPages(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	browser := header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	a := p.do(t, http.MethodGet, "/nowhere", "", browser)
	if a.status != 404 || a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(a.body, "<h1>There is nothing here</h1>") {
		t.Errorf("got %d %v %s", a.status, a.header, a.body)
	}
	if a := p.do(t, http.MethodGet, "/api/v1/nowhere", "", browser); a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API answers %v", a.header)
	}
}

// The page's own example works, and the page lets nothing foreign in.
func TestPage(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	a := p.do(t, http.MethodGet, "/", "")
	if a.status != 200 || !strings.Contains(a.body, "curl -i "+p.url+"/save_metrics") {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	policy := a.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	if strings.Contains(a.body, "//") && strings.Count(a.body, "//") != strings.Count(a.body, p.url) {
		t.Errorf("the page names another host:\n%s", a.body)
	}
	closed := serve(t, storetest.SQLite(t), func(c *server.Config) { c.Anonymous = store.Scopes{} })
	if a := closed.do(t, http.MethodGet, "/setup", ""); !strings.Contains(html.UnescapeString(a.body), "-H 'Authorization: Bearer TOKEN' \\\n  -H") {
		t.Errorf("its example has no token where one is needed:\n%s", a.body)
	}
	_, report, _ := strings.Cut(html.UnescapeString(a.body), "-d '")
	report, _, _ = strings.Cut(report, "'")
	if a := p.do(t, http.MethodPost, "/save_metrics", report); a.status != 200 {
		t.Errorf("its example is answered %d %s", a.status, a.body)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	p := launch(t, storetest.SQLite(t), func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(p.url + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("got %d over %s", resp.StatusCode, resp.Proto)
	}
}

// certificate writes a certificate for 127.0.0.1, signed by itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}
