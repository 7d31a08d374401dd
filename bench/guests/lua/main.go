// Command lua is a guest that interprets: it runs a script in Lua with gopher-lua, as much of it as its second argument says (the
// first is the script's name), and prints what it returns. It is a module of its own, so that nothing else depends on the interpreter.
package main

import (
	"fmt"
	"os"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// queens counts the ways to place n queens, and beside it fills tables and builds strings.
const queens = `
local n = N
local cols, up, down, found = {}, {}, {}, 0
local function place(row)
	if row > n then
		found = found + 1
		return
	end
	for c = 1, n do
		if not cols[c] and not up[row + c] and not down[row - c] then
			cols[c], up[row + c], down[row - c] = true, true, true
			place(row + 1)
			cols[c], up[row + c], down[row - c] = nil, nil, nil
		end
	end
end
place(1)
local words, sum = {}, 0
for i = 1, 200 * n do
	words[#words + 1] = string.format("%d:%s", i, string.rep("x", i % 7))
end
table.sort(words)
for i, w in ipairs(words) do
	sum = (sum * 31 + #w * i) % 1000003
end
return found * 1000003 + sum
`

func main() {
	if len(os.Args) < 3 {
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		os.Exit(2)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("N", lua.LNumber(n))
	if err := state.DoString(queens); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(state.Get(-1))
}
