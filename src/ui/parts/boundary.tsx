/** What is seen when a screen itself fails: never an empty page. */
import { Component, type ComponentChildren } from 'preact';
import { FailureNotice } from './notice.tsx';

export class Boundary extends Component<{ children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  override componentDidCatch(): void {
    this.setState({ failed: true });
  }

  render({ children }: { children: ComponentChildren }) {
    if (!this.state.failed) return children;
    return (
      <main class="screen screen--center">
        <h1 class="headline">This screen failed</h1>
        <FailureNotice
          failure={{ code: 'Internal', detail: '', retryAfterMs: 0 }}
          onRetry={() => location.reload()}
          retryName="Show it again"
        />
      </main>
    );
  }
}
