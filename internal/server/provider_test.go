package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

const (
	clientID     = "pipeline-metrics"
	clientSecret = "a secret: with % signs"
)

// An issuer is a small identity provider by OpenID Connect, with a key of its
// own. It signs everybody in who comes.
type issuer struct {
	url string
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values   // what the browser came with, by code
	claims map[string]any          // of who signs in
	info   map[string]any          // what it tells when asked for more
	spoil  func(id map[string]any) // changes what it signs
}

func newIssuer(t *testing.T, claims map[string]any) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, codes: map[string]url.Values{}, claims: claims}
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	m.HandleFunc("GET /keys", i.keys)
	m.HandleFunc("GET /authorize", i.authorize)
	m.HandleFunc("POST /token", i.token)
	m.HandleFunc("GET /userinfo", i.userinfo)
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	i.url = s.URL
	return i
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token",
		"jwks_uri": i.url + "/keys", "userinfo_endpoint": i.url + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	b64 := base64.RawURLEncoding
	answer(w, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": b64.EncodeToString(i.key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	i.mu.Lock()
	i.codes[code] = q
	i.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

// token gives a code's worth once, to who began the flow.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	began, ok := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	user, password, _ := r.BasicAuth()
	secret, err := url.QueryUnescape(password)
	if !ok || user != clientID || err != nil || secret != clientSecret || began.Get("code_challenge_method") != "S256" ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != began.Get("code_challenge") || r.PostFormValue("redirect_uri") != began.Get("redirect_uri") {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_grant"})
		return
	}
	id := map[string]any{"iss": i.url, "aud": clientID, "sub": "42", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "nonce": began.Get("nonce")}
	maps.Copy(id, i.claims)
	if i.spoil != nil {
		i.spoil(id)
	}
	answer(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": i.sign(id)})
}

func (i *issuer) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer opaque" || i.info == nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, i.info)
}

func (i *issuer) sign(claims map[string]any) string {
	b64 := base64.RawURLEncoding
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	text := b64.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, _ := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	return text + "." + b64.EncodeToString(signature)
}
