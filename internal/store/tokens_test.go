package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A clock is moved by hand.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(1_700_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func openAt(t *testing.T, database string, c *clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Database: database, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustCreate(t *testing.T, s *store.Store, name string, scopes ...store.Scope) (secret string) {
	t.Helper()
	secret, err := s.CreateToken(t.Context(), name, scopes)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func wantScopes(t *testing.T, s *store.Store, secret, want string) {
	t.Helper()
	got, err := s.TokenScopes(t.Context(), secret)
	if err != nil || got.String() != want {
		t.Errorf("scopes are %q, %v; want %q", got, err, want)
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		c := newClock()
		s := openAt(t, database, c)
		wantScopes(t, s, "pmc_guessed", "")

		c.advance(time.Second)
		ci := mustCreate(t, s, "ci", store.ScopeIngest)
		wantScopes(t, s, ci, "ingest")
		c.advance(time.Second)
		grafana := mustCreate(t, s, "grafana", store.ScopeRead, store.ScopeAdmin)
		wantScopes(t, s, grafana, "read,admin")
		if _, err := s.CreateToken(t.Context(), "ci", store.Scopes{store.ScopeRead}); !errors.Is(err, store.ErrTokenExists) {
			t.Errorf("a second token of the same name: %v", err)
		}

		if err := s.RevokeToken(t.Context(), "ci"); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeToken(t.Context(), "ci"); !errors.Is(err, store.ErrTokenUnknown) {
			t.Errorf("revoked again: %v", err)
		}
		c.advance(5 * time.Second)
		wantScopes(t, s, ci, "")
		wantScopes(t, s, grafana, "read,admin")
		again := mustCreate(t, s, "ci", store.ScopeIngest) // the name is free again
		c.advance(time.Second)
		wantScopes(t, s, again, "ingest")

		all, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, token := range all {
			state := "in force"
			if !token.Revoked.IsZero() {
				state = "revoked"
			}
			got = append(got, token.Name+" "+token.Scopes.String()+" "+state)
			if strings.Contains(ci+grafana+again, token.ID) {
				t.Errorf("the id %q is a part of the secret", token.ID)
			}
		}
		want := []string{"ci ingest revoked", "grafana read,admin in force", "ci ingest in force"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
		if err := s.RevokeToken(t.Context(), all[1].ID); err != nil {
			t.Errorf("revoke by id: %v", err)
		}
	})
}

// The secret is in no column.
func TestTokenSecretIsNotKept(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		secret := mustCreate(t, s, "ci", store.ScopeIngest)
		for _, row := range storetest.Table(t, s, "SELECT id, name, scopes, hash FROM tokens") {
			for _, v := range row {
				if text, _ := v.(string); strings.Contains(text, secret[4:]) || strings.Contains(secret, text) {
					t.Errorf("%q shows the secret", v)
				}
			}
		}
	})
}

func TestTokenUseIsRecordedOnceAMinute(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		c := newClock()
		s := openAt(t, database, c)
		secret := mustCreate(t, s, "ci", store.ScopeIngest)
		first := c.now()
		wantScopes(t, s, secret, "ingest")
		waitUsed(t, s, first)
		c.advance(59 * time.Second)
		wantScopes(t, s, secret, "ingest")
		c.advance(time.Second)
		wantScopes(t, s, secret, "ingest")
		waitUsed(t, s, first.Add(time.Minute))
	})
}

// waitUsed waits until the one token's last use is at, and fails where it is
// another than that or the one before.
func waitUsed(t *testing.T, s *store.Store, at time.Time) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		all, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		used := all[0].LastUsed
		if used.Equal(at) {
			return
		}
		if !used.IsZero() && !used.Equal(at.Add(-time.Minute)) || time.Now().After(deadline) {
			t.Fatalf("last use is %v, want %v", used, at)
		}
	}
}

// Guessing asks the database five times a second, whatever the number of
// guesses; a new token is seen none the less.
func TestUnknownTokensDoNotAskTheDatabase(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openAt(t, filepath.Join(t.TempDir(), "test.db"), c)
	wantScopes(t, s, "guess", "")
	secret := mustCreate(t, s, "ci", store.ScopeIngest)
	wantScopes(t, s, secret, "") // the clock stands still: not asked again
	c.advance(200 * time.Millisecond)
	wantScopes(t, s, secret, "ingest")
}

// Without its database nobody is let in, and nobody is told to be unknown.
func TestTokensWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openAt(t, filepath.Join(t.TempDir(), "test.db"), c)
	secret := mustCreate(t, s, "ci", store.ScopeIngest)
	wantScopes(t, s, secret, "ingest")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantScopes(t, s, secret, "ingest") // for some seconds more
	c.advance(5 * time.Second)
	for range 2 {
		if _, err := s.TokenScopes(context.Background(), secret); !errors.Is(err, store.ErrAway) {
			t.Errorf("got %v, want ErrAway", err)
		}
	}
}

func TestTokenNames(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	for _, name := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("a", 101)} {
		if _, err := s.CreateToken(t.Context(), name, store.Scopes{store.ScopeRead}); !errors.Is(err, store.ErrTokenName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ingest": "ingest", "ingest,read": "ingest,read", " read , ingest,read": "read,ingest", "admin": "admin",
	} {
		got, err := store.ParseScopes(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", ",", "ingest,", "write", "Ingest"} {
		if got, err := store.ParseScopes(text); err == nil {
			t.Errorf("%q: %q, want an error", text, got)
		}
	}
	if admin := (store.Scopes{store.ScopeAdmin}); !admin.Allow(store.ScopeIngest) || !admin.Allow(store.ScopeRead) {
		t.Error("an administrator may not do all")
	}
	if read := (store.Scopes{store.ScopeRead}); read.Allow(store.ScopeIngest) || read.Allow(store.ScopeAdmin) || read.Allow("") {
		t.Error("a reader may do more than read")
	}
}
