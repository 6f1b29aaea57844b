package api

import (
	"net/http"
	"strings"
	"sync"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/cdevents"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// cdeventsName is the provider of a delivery that is a CDEvent.
const cdeventsName = "cdevents"

// postCDEvents keeps CDEvents durably, one delivery each, and answers at once;
// a worker reads them later.
func (a *API) postCDEvents(w http.ResponseWriter, r *http.Request) error {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if err := checkMediaType(r.Header, nil); err != nil {
		return err
	}
	body, free, err := a.readBody(w, r, a.maxBody)
	if err != nil {
		return err
	}
	defer free()
	events, err := cdevents.Split(media, r.Header, body)
	if err != nil {
		a.refused.Add(1)
		return problem(http.StatusBadRequest, kindInvalid, "That is no CDEvent.", "Nothing of it was stored: "+err.Error()+".")
	}
	if err := a.receive(r, events); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// receive keeps all events. Where it fails, some may be kept; sent again they
// are the same.
func (a *API) receive(r *http.Request, events []cdevents.Event) error {
	failed := make([]error, len(events))
	places := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, e := range events {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			failed[i] = a.store.Receive(r.Context(), store.Delivery{Provider: cdeventsName, Key: e.Key, Event: e.Type, Body: e.Body})
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// optionsCDEvents is the handshake by which a sender of CloudEvents asks
// whether it may send. Whether it really may, its token says.
func (a *API) optionsCDEvents(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Allow", "POST, OPTIONS")
	if origin := r.Header.Get("WebHook-Request-Origin"); origin != "" {
		h.Set("WebHook-Allowed-Origin", origin)
		h.Set("WebHook-Allowed-Rate", "*")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
