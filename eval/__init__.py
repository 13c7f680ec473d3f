"""Is it any good: judged questions, scores with intervals, floors."""
