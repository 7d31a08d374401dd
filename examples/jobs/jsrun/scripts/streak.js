// How many runs in a row had all of their numbers within the limit.
const { numbers, limit } = event.data;
const over = numbers.filter(n => n > limit);
const streak = over.length === 0 ? (state.get("streak") ?? 0) + 1 : 0;
state.set("streak", streak);
print(over.length === 0 ? `all within ${limit}, ${streak} in a row` : `over ${limit}: ${over.join(", ")}`);
