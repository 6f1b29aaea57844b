package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func wantSession(t *testing.T, s *store.Store, secret string, want *store.Session) {
	t.Helper()
	got, err := s.Session(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		clock := newClock()
		s, other := openAt(t, database, clock), openAt(t, database, clock)
		secret := store.NewSessionSecret()
		wantSession(t, s, secret, nil)
		want := store.Session{Subject: "Zoë", Scopes: store.Scopes{store.ScopeRead}, BoundTo: "token:1", Expires: clock.now().Add(time.Hour)}
		if err := s.CreateSession(t.Context(), secret, want); err != nil {
			t.Fatal(err)
		}
		wantSession(t, s, secret, &want)
		wantSession(t, other, secret, &want)
		wantSession(t, s, store.NewSessionSecret(), nil)

		// What ends here ends elsewhere within seconds.
		if err := s.EndSession(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		wantSession(t, s, secret, nil)
		clock.advance(6 * time.Second)
		wantSession(t, other, secret, nil)
	})
}

func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		clock := newClock()
		s := openAt(t, database, clock)
		old := store.NewSessionSecret()
		n := store.Session{Subject: strings.Repeat("ö", 200), Scopes: store.Scopes{store.ScopeAdmin}, Expires: clock.now().Add(3 * time.Second)}
		if err := s.CreateSession(t.Context(), old, n); err != nil {
			t.Fatal(err)
		}
		n.Subject = strings.Repeat("ö", 100) // 200 bytes
		wantSession(t, s, old, &n)
		clock.advance(3 * time.Second) // it is remembered for longer than it lasts
		wantSession(t, s, old, nil)
		n.Expires = clock.now().Add(time.Hour)
		if err := s.CreateSession(t.Context(), store.NewSessionSecret(), n); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]any{{int64(1)}}, storetest.Table(t, s, "SELECT count(*) FROM sessions")); diff != "" {
			t.Errorf("sessions that are kept (-want +got):\n%s", diff)
		}
	})
}

func TestTokenInForce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		clock := newClock()
		s := openAt(t, database, clock)
		secret := mustCreate(t, s, "grafana", store.ScopeRead)
		token, err := s.FindToken(t.Context(), secret)
		if err != nil || token == nil || token.Name != "grafana" {
			t.Fatalf("found %v, %v", token, err)
		}
		if got, err := s.TokenInForce(t.Context(), token.ID); err != nil || got == nil {
			t.Errorf("in force: %v, %v", got, err)
		}
		if err := s.RevokeToken(t.Context(), "grafana"); err != nil {
			t.Fatal(err)
		}
		clock.advance(6 * time.Second)
		if got, err := s.TokenInForce(t.Context(), token.ID); err != nil || got != nil {
			t.Errorf("revoked: %v, %v", got, err)
		}
	})
}
