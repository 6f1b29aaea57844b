package browser_test

import (
	"context"
	"strconv"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// call is a command of the browser's protocol as a step.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, command, params)
		return chromedp.Void{}, err
	}
}

// evaluate runs a whole script.
func evaluate(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script)
}

// press presses the button of a form and waits for the page that follows.
func (p *tab) press(form string) {
	p.t.Helper()
	p.do(evaluate("window.before = true; document.querySelector(" + strconv.Quote(form) + ").querySelector('button').click()"))
	p.wait("!window.before && document.readyState === 'complete'")
}
