"""What a customer does with a message, as far as fixed wordings tell: wants a person, is in danger, drops a
task, corrects a value, is polite.

Fixed lists, because these must work from the first minute, whatever a model thinks, and because a missed
"I want a person" is a promise broken. Each list has its look-alikes in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from knowledge.clean import width

_FLAGS = re.IGNORECASE | re.VERBOSE

_STAFF = r"""(?:(?:customer|client|tech(?:nical)?|support|service|live|real|actual|human|sales|call)[ ]?)*
    (?:human(?:\ being)?s?|persons?|people|agents?|rep(?:resentative)?s?|operators?|someone|somebody|
    advis[eo]rs?|managers?|supervisors?|staff|team|specialists?|employees?|assistants?|consultants?|
    (?:customer|client|tech(?:nical)?)[ ]?(?:service|support|care)|support|sales|individual|man|woman|boss)
    \b(?![-_](?:read|made|id))"""
_ARTICLE = r"(?:an?|the|your|one|some|any|another|somebody|my)?\ ?"
_HUMAN_KIND = r"(?:real|live|actual|human|physical)"

_HUMAN_EN = re.compile(
    rf"""
    \b(?:talk|talking|speak|speek|speaking|chat|chatting|conversation|converse)\ (?:directly\ )?(?:to|with)\ {_ARTICLE}{_STAFF}
  | \b(?:connect|transfer|put|pass|route|forward|switch|hand|redirect|direct|send|escalate|link)\ (?:me|us|this|it|over|my\ \w+)?\ ?
      (?:over|through|thru|on|up)?\ ?(?:to|with|through\ to)\ {_ARTICLE}{_STAFF}
  | \b(?:get|give|fetch|find|bring)\ (?:me\ |us\ )?{_ARTICLE}(?:{_HUMAN_KIND}\ \w+|human|person|agent|rep(?:resentative)?|operator|manager|supervisor|someone)\b(?!['’]?s?\ (?:id|code|name))
  | \b(?:need|want|wanna|like|prefer|request|demand|require)\ (?:to\ (?:have|get|see|reach|contact)\ )?{_ARTICLE}
      (?:{_HUMAN_KIND}\ (?:person|people|human|agent|being|operator|rep\w*|support|help|assistance)
        |human\ (?:agent|being|help|support|assistance)|human(?![-\w]|\ (?:read|res|err|ri|si))(?!\ body)
        |(?:customer|support|service)\ (?:agent|rep\w*)|agent|representative|operator|supervisor|manager)\b(?!\ (?:password|account|role|app|software|login|id|code|tool))
  | \b(?:reach|contact|call|get\ (?:a\ )?hold\ of|get\ through\ to)\ {_ARTICLE}(?:{_HUMAN_KIND}\ \w+|human|agent|representative|operator|person)\b
  | \b(?:is|are)\ (?:there\ )?(?:any(?:one|body)|some(?:one|body)|a\ (?:person|human|real\ person)|any\ (?:humans?|people|agents?|real\ people))
      \ ?(?:real\ |human\ |actually\ )?(?:there|here|available|around|online|alive|(?:that\ |who\ )?i\ can\ (?:talk|speak|chat)|to\ (?:talk|speak|help)|(?:who|that)\ can)
  | ^\W*any(?:one|body)\ (?:there|here|home|alive|real)
  | \b(?:don['’]?t|do\ not|no\ longer|not)\ (?:want|wanna|wish|like|going)\ (?:to\ )?(?:talk|speak|chat|deal|talking|chatting|dealing)\ ?\w*\ (?:to|with)\ (?:a\ |an\ |this\ |the\ |you|stupid\ )*(?:ro)?bots?\b
  | \b(?:stop|no\ more|enough\ (?:of|with))\ (?:this\ |the\ |these\ |with\ |talking\ )*(?:stupid\ |silly\ )?(?:ro)?bots?\b(?!\ (?:vac|clean|mop|lawn|toy|arm))
  | \bnot\ (?:a\ |an\ |some\ )(?:ro)?bot\b(?=.*(?:human|person|someone|agent|please))
  | \b(?:have|let|ask|make)\ (?:some(?:one|body)|an?\ (?:person|agent|human|rep\w*|manager|colleague)|your\ (?:manager|supervisor|colleague|boss))\ (?:call|ring|phone|contact|e-?mail|help|reply|answer|take\ over|talk|speak|get\ (?:back|in\ touch))
  | \b(?:some(?:one|body)|an?\ (?:person|human|agent|colleague)|your\ (?:manager|supervisor|colleague))\ (?:please\ )?(?:call|ring|phone)\ me\b
  | \b(?:can|could|may|will|would|must|should)\ (?:some(?:one|body)|an?\ (?:(?:real|actual)\ )?(?:person|human|agent|colleague|employee|rep\w*))\ (?:from|of|on)
      \ (?:your|the|customer|tech\w*)?\ ?(?:customer\ |technical\ |tech\ )?(?:team|support|service|staff)\ (?:please\ )?(?:\w+\ )?(?:me|us|it|this|that)\b
  | \bhuman\ (?:agent|operator|support|help|assistance|please|now|being\ please|representative|intervention|takeover)\b
  | \b(?:live|real)\ (?:agent|chat|person|human|operator|support|rep\w*|people)\b(?!.*\b(?:hours?|open|when)\b)
  | \b(?:agent|representative|operator|human|supervisor|manager),?\ (?:please|pls|plz|now)\b
  | \bescalate\ (?:this|it|my|the|to|please)\b
  | ^\W*(?:an?\ |the\ |your\ )?(?:{_HUMAN_KIND}\ )?(?:human(?:\ being)?|agent|rep|representative|operator|person|manager|supervisor|customer\ (?:service|support|care|rep\w*)|support\ (?:agent|person|team)|live\ (?:chat|agent|support))(?:\ (?:please|pls|plz|now))?\W*$
    """,
    _FLAGS,
)
_REFUSED_BOT_EN = re.compile(r"(?:\bnot|n['’]t|\bno|\bstop|\bwithout)\b.*\b(?:ro)?bots?\b", re.IGNORECASE)
_ABOUT_BOT_EN = re.compile(
    r"\b(?:are|r|is)\ (?:you|u|this|it)\ (?:really\ |actually\ |just\ |even\ )?(?:an?\ )?(?:real\ |live\ |actual\ )?(?:human|person|(?:ro)?bot|ai|machine|agent|computer)"
    r"|\bam\ i\ (?:really\ |actually\ )?(?:talking|speaking|chatting|texting)",
    _FLAGS,
)
_NOT_HUMAN_EN = re.compile(
    r"""\b(?:don['’]?t|do\ not|no|without|never|not)\ (?:need|want|wanting|needing)?\ ?(?:to\ )?
    (?:(?:talk|speak|be\ (?:transferred|connected)|transfer|connect|talking|speaking|call|contact)\ (?:me\ )?(?:to|with)?\ ?)?
    (?:an?\ |any\ |the\ )?(?:real\ |live\ |human\ )*(?:human|person|agent|representative|operator|someone)\b
    |\bno\ need\ (?:for|to)\b""",
    _FLAGS,
)
# Questions *about* the service desk are answered, not connected.
_DESK_QUESTION_EN = re.compile(
    r"\b(?:what|which|when|how\ (?:long|late|early|much)|where)\b.*\b(?:hours?|number|times?|open|close|e-?mail|address|cost|charge|wait)\b"
    r"|\bam\ i\ (?:talking|speaking|chatting|texting|writing)\b"
    r"|\b(?:phone|telephone|contact)\ (?:number|hours)\b|\b(?:support|service|opening|business|working)\ hours\b"
    r"|\bcan\ an?\ (?:person|agent|human)\ (?:under|over|aged|who|with|below)",
    _FLAGS,
)

_DESK = r"(?:人工|真人|活人|客服|专员|坐席|座席|经理|主管|领导|负责人|老板|工作人员|店长|店主|店员|顾问|专人|接线员|售后人员|服务人员|运营人员)"
_HUMAN_ZH = re.compile(
    rf"""
    人工(?!智能|成本|费用?|湖|降雨|草|皮|合成|翻译|耳蜗|关节|授粉|呼吸|心脏|审核|检测|打磨|缝制|制作|养殖|装)
  | 真人(?!秀|版|大小|比例|发声|语音|cs|实拍|出镜)
  | (?:活人|大活人)
  | (?:转|接|找|叫|换|要|联系|呼叫|喊|派|安排|请|对接|连线|来)(?:一下|到|给|上|个|一个|一位|位|你们|你们的|您们|贵司|你家|下|我|咱们|能说话的|懂的|的|在线|售后|高级|值班|专业|更高级的){{0,4}}{_DESK}
  | (?:找|叫|换|让|派|要|来|安排|请)(?:你们)?(?:一?[个位]|)(?:能|会|懂|管|真|活|大活|正常|说)?\S{{0,4}}人(?:来|跟|和|给|帮|处理|回[复答]?|说|聊|接|解决|联系|吧|啊|呀|呢|行吗|可以吗|好吗)
  | (?:找|叫|换|来|要)(?:一?[个位])(?:真|活|大活)?人\W*$
  | (?:和|跟|与|同)(?:一?[个位])?(?:你们)?(?:的)?(?:真人|活人|人|{_DESK})(?:直接)?(?:说|聊|交流|沟通|对话|讲|谈|通话|联系)
  | (?:不想|不要|不愿意?|懒得|别让?|拒绝|谁要|受够了?)(?:再)?(?:跟|和|与|同)?(?:你这?个?|这个?)?(?:机器人|机器|智能客服|[aA][iI])(?:说|聊|讲|谈|沟通|对话|回复|回|废话|扯|服务|了|$)
  | (?:不要|别给我|别用|不用)(?:你这?个?|这个?)?(?:机器人|智能客服)
  | 有(?:没有)?(?:真|活)?人(?:在|吗|么|嘛|没|不|理我|管管|能?回)(?:吗|么|不|线|啊|呀|线吗)?\W*$
  | (?:有|没)(?:没有)?人(?:管|理|回)(?:我|一下|吗|么|啊)
  | (?:让|叫|请|安排|派)?(?:人|客服|专员|工作人员|你们)(?:给我)?(?:打电话给我|回个?电话?给我|(?:给我)?(?:回|打)个?电话(?:给我)?$|联系我|联系一下我|给我(?:回|打)个?电话|回电(?:话)?给?我?|打给我)
  | 给我(?:回|打)个?电话
  | ^\W*(?:在线|售后|人公|仁工)?(?:客服|转人公|转仁工|客服人员|客服小姐姐|客服小哥|客服在吗?|客服呢|有客服吗|客服出来|专员|召唤客服|呼叫客服)\W*$
  | 转(?:人公|仁工|接人)
    """,
    _FLAGS,
)
_NOT_HUMAN_ZH = re.compile(
    rf"(?:不需要|不用|无需|不要|别|先不|不必|不想|没必要)(?:再|给我|帮我|你们?)?(?:转接?|接|找|叫|联系|换|要|呼叫)?(?:到|上)?{_DESK}|是(?:不是)?(?:真人|人工|活人)(?!客服在)|还是(?:真人|人工)"
)
_DESK_QUESTION_ZH = re.compile(
    rf"{_DESK}(?:服务|热线|人员|的)?.{{0,4}}(?:(?<![打回])电话|号码|热线|时间|几点|上班|下班|营业|收费|多少钱|邮箱|地址|微信|qq|工作日|周末|节假日|态度|质量|评价|制度)|几点.{{0,6}}{_DESK}",
    _FLAGS,
)

_URGENT_ZH = re.compile(
    r"""自杀(?!式|小队|突击)|不想活(?!动|跃)|活不下去|不想再?活|轻生|(?:结束|了结)(?:自己的?|我的|这)?(?:生命|一生|一切)|割腕|自残
  | (?<!么)跳楼(?!价|机|甩卖|大甩卖|促销|清仓|大促)|跳(?:河|江|桥)自?
  | (?:伤害|杀了?)(?:我)?自己|想去?死(?!你|我了|机)|让我死|死了算了
  | (?:杀了?|砍死?|打死|捅死?|弄死)(?:他|她|你们?|他们|人(?!气))|(?:有人|他|她|老公|老婆|丈夫)(?:要|想|在)(?:杀|打|砍)(?:我|人)
  | (?:被|遭|遭到)(?:家暴|绑架|抢劫|袭击|跟踪)
  | (?:着|起|失)火了|烧起来了|(?:正?在|已经?|突然|就)(?:着火|起火|冒烟|燃烧|爆炸)|(?:爆炸|冒烟|炸)了(?!吗|么)
  | 触电了|被电(?:到|伤|晕)了?|漏电.{0,6}(?:电到|受伤|人)|煤气中毒|(?:煤气|燃气)泄漏
  | 心脏病(?:发|犯)|喘不过气|呼吸困难|不能呼吸|晕倒了?|昏迷|失去意识|大出血|流血不止|止不住血
  | (?:吞|吃)(?:了|下|进)(?:一?[颗个粒块节]|纽扣)?.{0,3}(?:电池|磁铁|磁珠|安眠药|干燥剂)|服毒|中毒了
  | (?:打|叫|拨)(?:个)?(?:110|119|120|救护车|急救)|救命(?!稻草|恩人|神器)(?=[!！啊]*$|.{0,6}(?:着火|起火|杀|打人|晕|死))""",
    _FLAGS,
)
_URGENT_EN = re.compile(
    r"""\bsuicid(?:e|al)\b(?!\ squad)|\b(?:kill|killing|hurt|hurting|harm|harming|cut|cutting|shoot|hang)\ my\ ?self\b(?!\ (?:an?|some|the)\b)|\bself[- ]harm
  | \b(?:want|wanna|going|wish|rather|ready|need)\ (?:to\ |i\ (?:could|would|was)\ )?(?:die|dead|be\ dead)\b|\bend\ (?:my\ (?:own\ )?life|it\ all)\b
  | \b(?:don['’]?t|do\ not|no\ longer)\ (?:want|wanna|wish)\ to\ (?:live|be\ alive|exist)\b|\bno\ reason\ to\ live\b|\bbetter\ off\ dead\b
  | \b(?:he|she|they|friend|son|daughter|brother|sister|husband|wife|mother|father)\b.{0,25}\b(?:suicidal|kill\ (?:him|her|them)sel(?:f|ves)|end\ (?:his|her|their)\ li(?:fe|ves))
  | \b(?:going\ to|gonna|will|want\ to|wanna)\ (?:kill|murder|shoot|stab)\ (?:you|him|her|them|someone|somebody|people|everyone)\b
  | \boverdos(?:e|ed|ing)\b|\b(?:took|swallowed|taken)\ (?:too\ many|all\ (?:the|my))\ pills\b
  | \b(?:caught|catching|is\ on|are\ on|am\ on|it['’]?s\ on|just\ on|'s\ on)\ fire\b(?!\ (?:sale|tv|stick))|\bburst\ into\ flames\b
  | \b(?:battery|phone|charger|laptop|tablet|power\ ?bank|headphones?|watch|device|it|tv|adapter|cable)\ (?:has\ |have\ |just\ |is\ |was\ )*(?:exploded|exploding|smoking|smouldering|burning\ up|blew\ up)\b
  | \bsmoke\ (?:is\ )?(?:coming|pouring)\b|\belectrocuted\b|\b(?:got|had|have|gave\ me)\ (?:an?\ )?(?:bad\ |strong\ |nasty\ )?electric(?:al)?\ shock
  | \b(?:can['’]?t|cannot|can\ not|struggling\ to|unable\ to)\ breathe?\b|\bheart\ attack\b(?!.*\bprice)|\bchest\ pains?\b|\bunconscious\b|\bpassed\ out\b|\bbleeding\ (?:badly|heavily|a\ lot|out|and)|\bwon['’]?t\ stop\ bleeding
  | \bswallowed\ (?:a\ |an\ |the\ |my\ |one\ of\ the\ |one\ )?(?:\w+\ )?(?:batter(?:y|ies)|magnets?|cell|pills)\b|\bpoisoned\b
  | \b(?:call|need|send)\ (?:an?\ |the\ )?(?:911|999|112|ambulance|police|paramedics?)\b|\bgas\ leak\b
  | \b(?:being|been|am|was|getting)\ (?:attacked|assaulted|abused|kidnapped|stalked|raped|beaten)\b|\b(?:he|she|they)(?:['’]s|\ is|\ are)?\ (?:going\ to|gonna|trying\ to)\ (?:kill|hurt|attack)\ me""",
    _FLAGS,
)
_NOT_URGENT = re.compile(
    r"""\bnever\ (?:hurt|harm|kill)|\b(?:not|n['’]t|isn['’]t)\ (?:suicidal|going\ to\ (?:hurt|harm|kill))|\b(?:could|can|might|will|would|does|do|is\ it|likely)\b(?=.*\b(?:explod|smok|fire|flames))(?!.*\b(?:has|have|just|it['’]?s|my|caught)\b)
  | \b(?:app|process|program|task|game|movie|film|book|novel|song|prevention\ of)\b(?=.*\b(?:kill|suicid|die|fire|explo))
  | 会不会|会(?:着火|起火|爆炸|冒烟|触电|漏电)[吗么嘛]|容易(?:着火|爆炸|起火|触电)|(?:防|避免|预防|防止).{0,4}(?:触电|着火|起火|爆炸|自杀)|(?:电影|游戏|小说|特效|视频|剧)|死机|(?:绝对|从来|永远)?不会(?:自杀|伤害自己|想不开)|没(?:有)?(?:着火|起火|爆炸|冒烟|受伤|触电)
  | 订单.{0,4}炸|炸了锅|气炸|肺都?炸""",
    _FLAGS,
)

_CANCEL_ZH = re.compile(
    r"^(?:\W*(?:那|哦|额|呃|好吧|行吧|唉|嗯|哎)*\W*(?:还是)?(?:算了|不用了|不要了|不必了|不需要了?|不弄了|不办了|不查了|不问了|不想[查问弄办退]了|别查了|别弄了|取消吧?|取消这个操作|退出|不了|没事了?|当我没说|先不[查问弄办退]了?|先这样|下次再说|回头再说|以后再说|改天再说|停|停止|返回|重新开始|换个(?:问题|话题)|我不想说|不告诉你|没有了?|没关系)"
    r"(?:吧|啦|了|呢|哈|啊|谢谢你?|多谢|\W|我?不[\u4e00-\u9fff]{1,2}了|我自己来|我自己查|再见)*)+$"
)
_CANCEL_EN = re.compile(
    r"^\W*(?:oh|ok(?:ay)?|no|um+|actually|well|hmm+|please|sorry|let['’]?s|just|nah)*\W*(?:oh|no|just|actually|please|,|\s)*"
    r"(?:never\s?-?mind|nvm|forget\ (?:it|about\ it|that|this)|cancel(?:\ (?:that|this|it|the\ request))?|stop(?:\ (?:it|that|this))?|drop\ it|skip\ (?:it|this|that)?|quit|exit|abort|start\ over|go\ back|leave\ it|"
    r"don['’]?t\ (?:bother|worry(?:\ about\ it)?)|no\ (?:need|longer\ needed)|not\ (?:now|anymore|needed|necessary|any\ more)|maybe\ later|(?:some\ )?other\ time|i\ changed\ my\ mind|changed\ my\ mind|"
    r"i\ (?:don['’]?t|do\ not)\ (?:want|need)\ (?:that|this|it|to)(?:\ (?:any\s?more|now|do\ (?:that|this|it)))?|i['’]?(?:ll|d\ rather)\ (?:do\ it\ myself|pass|check\ myself|not)|no\ thanks?|no\ thank\ you|let['’]?s\ not)"
    r"(?:\W|thanks?|thank\ you|anyway|then|now|anymore|please|any\ more|bye|again|for\ now|it['’]?s\ (?:fine|ok(?:ay)?))*$".replace(r"\ ", " "),
    re.IGNORECASE,
)  # fmt: skip

_CORRECTION_ZH = re.compile(
    r"不是(?:这|那)(?:个|一个|单|笔|件|款|台|条)?|不对|(?:说|写|打|搞|弄|发|填|输|看)错|错了|我(?:说|指|问|要|想)的?(?:不)?是|另外?(?:的)?(?:一|那)?(?:个|单|笔|件|款|台|条)|换(?:成|一个|个|那个)|改成|改为|改一下|更正|应该是|是另外?|不是.{1,24}(?:是|而是)|^其实是"
)
_CORRECTION_EN = re.compile(
    r"^\W*(?:no|nope|wait|sorry|oops|hold\ on|actually|hmm+|oh|i\ mean|correction|not\ that|whoops|scratch\ that)\b"
    r"|\bi\ (?:meant|mean)\b|\bthe\ other\b|\banother\ (?:one|order)\b|\bwrong\ (?:one|order|number|item|date|address|phone|email)\b"
    r"|\b(?:change|make|correct|update)\ (?:it|that|this)\ (?:to|into)\b|\bshould\ (?:be|have\ been)\b|\binstead\b|\bnot\ (?:that|this)\ (?:one|order)?|\bmistyped\b|\btypo\b".replace(r"\ ", " "),
    re.IGNORECASE,
)  # fmt: skip
_OTHER = re.compile(
    r"(?:前面|刚才|之前|上面|先前)(?:说的)?(?:的)?(?:那|一)?(?:个|单)(?:单子|订单)?|第[一二三][个单笔](?!问题)|[前后](?:一|面那|面的那)个|[前后]者|另外?(?:的)?(?:一|那)?(?:个|单|笔|件|款|台|条|部)(?!问题|事|话题)|另外的(?!问题)|别的(?!问题|事)|换一?个(?=[\s,，。.!！?？~]|[吧呢行好试查看]|可以|订?单|号|商品|产品|型号|$)|不是(?:这|那)(?:个|一个|单|笔|件|款|台|条)|\b(?:an)?other\b(?!\ (?:questions?|thing|problem|issue|way|day|time|people|hand))|\bdifferent\ (?:one|order)\b|\bnot\ (?:that|this)\b|\bwrong\ (?:one|order)\b|\b(?:first|second|third|former|latter)\ (?:one|order|parcel|package)\b".replace(r"\ ", " "),
    re.IGNORECASE,
)  # fmt: skip

_QUESTION_ZH = re.compile(
    r"[?？]\s*$|(?:吗|么|呢|嘛)[\s。.!！~]*$|怎么|怎样|咋|什么|啥|为何|如何|多少|几多|多久|多长|哪[里儿个些]|点样|边度|几[天日个时点号]|能不能|可不可以|是否|是不是|有没有|行不行|谁|(?<=\S\S)没[啊呀]?[\s。.!！~]*$"
    r"|(?:能|可以|可|行|会|有|是|要|用|对)(?:[^,，。]{0,6})不[\s。.!！~]*$"
)
_QUESTION_EN = re.compile(
    r"\?\s*$|^\W*(?:(?:and|but|so|ok|okay|well|also|then)\W+)*(?:(?:un)?till? |since |from )?(?:what|when|where|which|who|whose|why|how|can|could|do|does|did|is|are|was|were|will|would|should|may|have|has)\b",
    re.IGNORECASE,
)
_NEW_SUBJECT = re.compile(
    r"^\W*(?:[^,，。.!！?？]{0,12}[,，。.!！]\s*)?(?:(?:我|再|想|顺便|另外|还|要|换|先|那)*(?:问|说|聊|打听)(?:一?[个下])?(?:别的|另外(?:一个|的)?|其他的?)(?:问题|事情?|话题)?|(?:另外|还有|换)一?个(?:别的)?(?:问题|话题)"
    r"|(?:(?:ok|okay|well|and|now|another|a|one|on|quick|totally|completely|question|thing)\W+)*(?:something\s+else|(?:different|new|other|another|unrelated)\s+(?:question|topic|thing|subject|note)))\s*[,，。.:：;!！–-]+\s*(?=\S{2})",
    re.IGNORECASE,
)
_PLAIN_DENIAL = re.compile(
    r"^\W*(?:no|nope|sorry|oops|不好意思|抱歉|不|哦|啊)*\W*(?:不对|错了|不是(?:这|那)(?:个|单|笔|件|款|台)?|(?:说|写|打|搞|弄|发|填|输|看)错了?|"
    r"(?:that['’]?s\s+|it['’]?s\s+|this\s+is\s+|that\s+is\s+|it\s+is\s+)?(?:the\s+|not\s+(?:the\s+)?)?(?:wrong|incorrect|mistake|typo|not\s+(?:that|this|right|it)|right)(?:\s+(?:one|order|number|item))?)"
    r"(?:的|了|啊|吧|订单号?|单号|号码|\W)*$",
    re.IGNORECASE,
)

_COURTESY_ZH = r"你好[啊呀哈]?|您好[啊呀]?|哈喽|哈啰|嗨|在[吗么嘛]|在不在|亲亲?们?(?=[,，。!！~\s你您我在请问想]|$)|请问一下|请问下?|麻烦问一下|想问一下|想问下|问一下|问下|早上好|上午好|中午好|下午好|晚上好|早安|打扰一?下了?|打扰了|大佬|小姐姐|小哥哥|客服(?=你好|您好|[,，])|老板(?=[,，])|你好呀"
_GREETING_ZH = re.compile(rf"^(?:(?:{_COURTESY_ZH})[\s,，.。!！~～?？、:：]*)+", re.IGNORECASE)
_GREETING_EN = re.compile(
    r"^(?:(?:hi+|hello+|hey+|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|dear (?:sir|madam|team|all)|excuse me|pardon me)(?: there| team| guys| all| everyone| again| kefu| folks)?\b[\s,.!~:;-]*)+(?:(?:please help|quick question|(?:\d|two|three|a couple of|a few) (?:quick )?(?:things|questions)|i have a (?:quick )?question|how are you(?: doing| today)?)\b[\s,.!?~:;-]*)*",
    re.IGNORECASE,
)
_THANKS_TAIL = re.compile(
    r"[\s,，.。!！?？~]*(?:谢谢[你您]?(?:们|啦|了|哈|啊)?|多谢了?|感谢|麻烦[你您]?了|拜托了?|thank(?:s| you)(?: so much| very much| a lot| in advance)?|cheers|thx|tks|please and thank you)[\s,，.。!！~]*$",
    re.IGNORECASE,
)


def wants_person(text: str) -> bool:
    """Whether the customer asks for a person, in any wording; questions about the desk's hours do not."""
    text = " ".join(text.split())
    if not _DESK_QUESTION_ZH.search(text) and _HUMAN_ZH.search(_NOT_HUMAN_ZH.sub(" ", text)):
        return True
    if not _HUMAN_EN.search(text) or _DESK_QUESTION_EN.search(text):
        return False
    # "don't need a human" is taken out, unless what is refused is the bot: "not a bot, a human please".
    wish = text if _REFUSED_BOT_EN.search(text) else _NOT_HUMAN_EN.sub(" ", text)
    return bool(_HUMAN_EN.search(_ABOUT_BOT_EN.sub(" ", wish)))


def is_urgent(text: str) -> bool:
    """Whether someone may be in danger: self-harm, violence, fire, an accident."""
    text = " ".join(text.split())
    return bool(_URGENT_ZH.search(text) or _URGENT_EN.search(text)) and not _NOT_URGENT.search(text)


def new_subject(text: str) -> str:
    """What a message asks after saying that it is about something else: 再问个别的，…, "something else, ..."; "" for any other."""
    match = _NEW_SUBJECT.match(text)
    return text[match.end() :] if match else ""


def is_cancel(text: str) -> bool:
    """Whether the message, as a whole, drops what was going on."""
    text = text.strip()
    return bool(_CANCEL_ZH.match(text) or _CANCEL_EN.match(text))


def is_correction(text: str) -> bool:
    """Whether the message opens or reads like the correction of something said before."""
    return bool(_CORRECTION_ZH.search(text) or _CORRECTION_EN.search(text))


def is_question(text: str) -> bool:
    """Whether the message asks something, by its form, thanks behind it or not."""
    text = _THANKS_TAIL.sub("", text)
    return bool(_QUESTION_ZH.search(text) or _QUESTION_EN.search(text))


def is_plain_denial(text: str) -> bool:
    """Whether the message says that something was wrong, and nothing else: 不对, "wrong order"."""
    return bool(_PLAIN_DENIAL.match(text.strip()))


def names_other(text: str) -> bool:
    """Whether the message points at "the other one" of something."""
    return bool(_OTHER.search(text))


_BYE = re.compile(
    r"(?:拜拜|再见|回见|晚安|886|(?:^\W*|(?:谢[谢了啦你您]{0,3}|多谢|拜+|好[的吧]?|行|嗯+|了[\s,，。]|\bok)[\s,，。.!！~]*)88(?!\d)|(?:祝|愿)(?:你|您)们?(?:生活|工作|周末|天天)?(?:愉快|顺利|开心)|\b(?:good)?bye(?:[ -]?bye)?(?: \w+)?|\bgood ?night|\bsee (?:you|ya)|\bcya"
    r"|\b(?:have|enjoy) (?:a|an|your|the rest of your) (?:very )?(?:nice|good|great|lovely|wonderful)? ?(?:day|one|evening|weekend|night|afternoon)|\btake care)\W*$",
    re.IGNORECASE,
)
_THANKS = re.compile(r"(?:谢谢?(?:你|您|啦|了|哈|哦|呀)*|辛苦(?:你|您)?们?[了啦]|多谢|唔该晒?|感谢|\b(?:thanks?(?: you)?|thx|ty|cheers)(?: (?:a lot|so much|\w+))?)\W*$", re.IGNORECASE)  # fmt: skip
_THANKED = re.compile(
    r"谢谢?(?:你|您)?|辛苦(?:你|您)?们?[了啦]|多谢|唔该|感谢|\b(?:thanks?(?: you)?|thx)\b", re.IGNORECASE
)
_KIND = re.compile(
    r"(?:\W|\b(?:you|ve|re|have|been|were|are|was|so|very|really|too|that|it|s|a|the|such|lovely|great|helpful|kind|nice|best|star|good|perfect|super|awesome|brilliant|sweet|quick|patient|much|all|everything|for|your|help|helping|helped|time|patience|answer|answers|info|job|me|today)\b"
    r"|很|真|太|非常|特别|有?帮助|帮(?:了)?(?:我)?大忙了?|耐心|贴心|清楚|好|棒|快|了|你|您|的|服务|态度|回答|解答|帮忙)*",
    re.IGNORECASE,
)
"""Praise, which wants nothing."""
_NO_PLEASANTRY = re.compile(
    r"\d|不(?!错|客气)|^没(?!事|问题|有?了|有?别的)|(?<!^)没(?!事|问题)|订单|退|换|\b(?:no|not|don['’]?t|cancel|order|refund)\b",
    re.IGNORECASE,
)
_LONGEST_BEFORE = 16
"""Width of the pleasantry before a good-bye (a Chinese character counts two); more is a message of its own."""


_ACKNOWLEDGES = re.compile(
    r"^\W*(?:哦|噢|喔|嗯+|好(?:的|吧|嘞|呀|滴|哒)?|行(?:吧|的)?|可以|知道了?|明白了?|了解|收到|懂了|原来如此|没问题|稍等|等我|ok(?:ay)?|k|alright|all right|got it|i see|understood|fair enough|sure|noted|(?:sounds|that['’]?s) (?:good|fine)|makes sense|hmm+|oh|right|cool|great|nice|lol|haha+|哈哈+)(?![a-z])",
    re.IGNORECASE,
)
_LONGEST_ACKNOWLEDGEMENT = 24
_WANTS = re.compile(r"\d|帮|请|要|给我|查|取消|退|换|转|改|告诉|(?:\b(?:please|want|need|cancel|repair|exchange|invoice|book|mail|return|refund|show|tell|send|check|what|how|when|why|where|do|is|are|can)\b)", re.IGNORECASE)  # fmt: skip


def acknowledges(text: str) -> bool:
    """Whether a message only says that it was heard: 好 我再想想, "ok got it"."""
    text = text.strip()
    return (
        width(text) <= _LONGEST_ACKNOWLEDGEMENT
        and bool(_ACKNOWLEDGES.match(text))
        and not _WANTS.search(text)
        and not is_question(text)
    )


def farewell(text: str) -> Literal["goodbye", "thanks"] | None:
    """Read "goodbye" or "thanks" where a message is little else: "nice, thx, bye"; None for any other."""
    text = text.strip()
    endings: tuple[tuple[Literal["goodbye", "thanks"], re.Pattern[str]], ...] = (("goodbye", _BYE), ("thanks", _THANKS))  # fmt: skip
    for kind, ending in endings:
        found = ending.search(text)
        if found:
            return kind if _says_little(text[: found.start()]) else None
    praised = _THANKED.search(text)
    if praised and _says_little(text[: praised.start()]) and _KIND.fullmatch(text, praised.end()):
        return "thanks"
    return None


def courteous(text: str) -> bool:
    """Whether a message thanks or says good-bye among other things, and neither asks nor wants anything by its form."""
    if is_question(text) or _WANTS.search(text):
        return False
    return any(sign.search(text) for sign in (_BYE, _THANKS, _THANKED))


def _says_little(before: str) -> bool:
    return bool(_KIND.fullmatch(before)) or (
        width(before) <= _LONGEST_BEFORE and not _NO_PLEASANTRY.search(before)
    )


def called_by(name: str) -> Callable[[str], str]:
    """What takes the bot's name off a message's ends: "how are you, Lumi" -> "how are you"."""
    if not name.strip():
        return lambda text: text
    word = rf"(?<![A-Za-z]){re.escape(name.strip())}(?![A-Za-z])"
    ends = re.compile(rf"^\W*{word}[\s,，:：!！.。]+(?=\w)|(?<=\w)[\s,，]*{word}(?=\W*$)", re.IGNORECASE)
    return lambda text: ends.sub("", text)


def without_courtesy(text: str) -> str:
    """The message without a greeting before and thanks behind its point; unchanged if nothing else is in it."""
    bare = _GREETING_EN.sub("", _GREETING_ZH.sub("", _GREETING_EN.sub("", text.strip())))
    bare = _THANKS_TAIL.sub("", bare).strip(" ,，~")
    return bare if len(re.sub(r"\W", "", bare)) >= 2 else text.strip()
