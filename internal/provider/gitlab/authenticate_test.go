package gitlab_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

// The example of the Standard Webhooks specification.
const (
	specKey  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	specBody = `{"test": 2432232314}`
	specSign = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	otherKey = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

var specTime = time.Unix(1614265330, 0)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func signed(pairs ...string) http.Header {
	return headers(append([]string{
		"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", specSign,
	}, pairs...)...)
}

// sign is a second reading of the specification.
func sign(key, id string, at int64, body string) string {
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(id + "." + strconv.FormatInt(at, 10) + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func with(h http.Header, name, value string) http.Header {
	h = h.Clone()
	h.Del(name)
	if value != "" {
		h.Set(name, value)
	}
	return h
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const token = "a secret token"
	withToken := headers("X-Gitlab-Token", token)
	for name, tc := range map[string]struct {
		header  http.Header
		body    string
		now     time.Time
		secrets []string
		want    error
	}{
		"token":                       {withToken, "", specTime, []string{token}, nil},
		"one of the tokens":           {withToken, "", specTime, []string{"another", token, "third"}, nil},
		"wrong token":                 {headers("X-Gitlab-Token", token+" "), "", specTime, []string{token}, gitlab.ErrWrongToken},
		"beginning of a token":        {headers("X-Gitlab-Token", token[:5]), "", specTime, []string{token}, gitlab.ErrWrongToken},
		"no token":                    {headers(), "", specTime, []string{token}, gitlab.ErrNoToken},
		"empty token":                 {headers("X-Gitlab-Token", ""), "", specTime, []string{token}, gitlab.ErrNoToken},
		"an empty secret is nobody's": {headers("X-Gitlab-Token", ""), "", specTime, []string{""}, gitlab.ErrNoToken},
		"no secret":                   {withToken, "", specTime, nil, gitlab.ErrWrongToken},
		"a signing token as token":    {headers("X-Gitlab-Token", specKey), "", specTime, []string{token, specKey}, gitlab.ErrWrongToken},

		"signature":              {signed(), specBody, specTime, []string{specKey}, nil},
		"one of the keys":        {signed(), specBody, specTime, []string{otherKey, specKey, token}, nil},
		"one of the signatures":  {with(signed(), "webhook-signature", "v1,AAAA v2,x v1a,y "+specSign+" v1,%%"), specBody, specTime, []string{specKey}, nil},
		"a second header of it":  {headers("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,AAAA", "webhook-signature", specSign), specBody, specTime, []string{specKey}, nil},
		"5 minutes late":         {signed(), specBody, specTime.Add(5 * time.Minute), []string{specKey}, nil},
		"5 minutes early":        {signed(), specBody, specTime.Add(-5 * time.Minute), []string{specKey}, nil},
		"more than that late":    {signed(), specBody, specTime.Add(5*time.Minute + 1), []string{specKey}, gitlab.ErrSignatureTime},
		"more than that early":   {signed(), specBody, specTime.Add(-5*time.Minute - 1), []string{specKey}, gitlab.ErrSignatureTime},
		"another body":           {signed(), specBody + " ", specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"another key":            {signed(), specBody, specTime, []string{otherKey}, gitlab.ErrWrongSignature},
		"another id":             {with(signed(), "webhook-id", "msg_1"), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"another time":           {with(signed(), "webhook-timestamp", "1614265331"), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"no id":                  {with(signed(), "webhook-id", ""), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"no time":                {with(signed(), "webhook-timestamp", ""), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"a time that is none":    {with(signed(), "webhook-timestamp", "16142653300000000000000"), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"time of another age":    {headers("webhook-id", "1", "webhook-timestamp", "-9223372036854775808", "webhook-signature", sign(specKey, "1", -9223372036854775808, specBody)), specBody, specTime, []string{specKey}, gitlab.ErrSignatureTime},
		"empty signature":        {with(signed(), "webhook-signature", " "), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"version 2 alone":        {with(signed(), "webhook-signature", "v2"+specSign[2:]), specBody, specTime, []string{specKey}, gitlab.ErrWrongSignature},
		"never the token":        {with(signed("X-Gitlab-Token", token), "webhook-signature", "v1,AAAA"), specBody, specTime, []string{specKey, token}, gitlab.ErrWrongSignature},
		"not signed":             {headers(), specBody, specTime, []string{specKey}, gitlab.ErrNoSignature},
		"not signed, but token":  {withToken, specBody, specTime, []string{specKey, token}, nil},
		"signed, and no key":     {signed("X-Gitlab-Token", token), specBody, specTime, []string{token}, nil},
		"signed, no key, wrong":  {signed("X-Gitlab-Token", "x"), specBody, specTime, []string{token}, gitlab.ErrWrongToken},
		"a key that is none":     {signed(), specBody, specTime, []string{"whsec_", "whsec_%%"}, gitlab.ErrWrongSignature},
		"nobody signs with none": {headers("webhook-id", "1", "webhook-timestamp", "1614265330", "webhook-signature", sign("whsec_", "1", 1614265330, specBody)), specBody, specTime, []string{"whsec_"}, gitlab.ErrWrongSignature},
		"id and time of a body": {
			headers("webhook-id", "1.1614265330.{", "webhook-timestamp", "1614265330", "webhook-signature", sign(specKey, "1", 1614265330, "{.1614265330.{}")),
			"{}", specTime,
			[]string{specKey},
			gitlab.ErrWrongSignature,
		},
	} {
		err := gitlab.Authenticate(tc.header, []byte(tc.body), tc.now, tc.secrets...)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		for _, secret := range tc.secrets {
			if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v holds the secret", name, err)
			}
		}
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for secret, good := range map[string]bool{"a token": true, specKey: true, otherKey: true, "": false, "whsec_": false, "whsec_%": false, "whsec_abc": false} {
		if err := gitlab.CheckSecret(secret); (err == nil) != good {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	for want, h := range map[[2]string]http.Header{
		{"key", "Pipeline Hook"}: headers("Idempotency-Key", "key", "webhook-id", "id", "X-Gitlab-Event-UUID", "shared", "X-Gitlab-Event", "Pipeline Hook"),
		{"id", "Job Hook"}:       headers("webhook-id", "id", "X-Gitlab-Event", "Job Hook"),
		{"", "System Hook"}:      headers("X-Gitlab-Event", "System Hook", "X-Gitlab-Event-UUID", "shared"),
		{"next", ""}:             headers("Idempotency-Key", "two words", "webhook-id", "next"),
		{"", ""}:                 headers("Idempotency-Key", strings.Repeat("k", gitlab.MaxDeliveryID+1), "webhook-id", "é"),
	} {
		id, event := gitlab.Delivery(h)
		if got := [2]string{id, event}; got != want {
			t.Errorf("%v: %q, want %q", h, got, want)
		}
	}
}

// FuzzAuthenticate: nothing panics, and nobody gets in but with the token, or a
// signature that a second reading of the specification finds right too.
func FuzzAuthenticate(f *testing.F) {
	f.Add("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", specSign, "", []byte(specBody))
	f.Add("1", "1614265330", "v1,AAAA v1,"+strings.Repeat("A", 43)+"=", "a secret token", []byte(specBody))
	f.Add("", "", "", "a secret token", []byte{})
	f.Fuzz(func(t *testing.T, id, at, signature, token string, body []byte) {
		h := headers("webhook-id", id, "webhook-timestamp", at, "webhook-signature", signature, "X-Gitlab-Token", token)
		err := gitlab.Authenticate(h, body, specTime, specKey, "a secret token")
		seconds, _ := strconv.ParseInt(at, 10, 64)
		right := strings.Contains(signature, sign(specKey, id, seconds, string(body)))
		if err == nil && !right {
			t.Fatalf("%v is let in", h)
		}
		if gitlab.Authenticate(headers("X-Gitlab-Token", token), body, specTime, "a secret token") == nil && token != "a secret token" {
			t.Fatalf("the token %q is let in", token)
		}
	})
}
