"""Words that say nothing about what a question is about, in English, French and Kiswahili; without accents."""

from __future__ import annotations

_ENGLISH = """
a about above actually after again all also although always am among an and another any anybody anyone anything are
around as ask at away be because been before being below best between both but by came can cannot could currently
describe detail details did do does doing don done during each either else even ever every everyone everything
example examples explain far few find first for from further gave get gets getting give given go goes going gonna good
got had has have having he hello help her here hers herself hey hi him himself his how however i if in information
into is isn it its itself just kind know knows let like list ll long look looking lot made make makes many may maybe
me mean means might mind more most much must my myself need needed needs neither never no nobody none nor not nothing
now of often ok okay on once one ones only or other others our ours ourselves over own please possible quite
rather re really regarding right same say says see seem seems shall she should show since so some somebody someone
something sort still such sure take tell than thank thanks that the their theirs them themselves then there these they
thing things think this those though through to too toward towards under until upon us use used uses using usually
ve very via want wanted wants was wasn way ways we well were weren what whatever when whenever where whether which
while who whoever whole whom whose why will with within without won would yes yet you your yours yourself yourselves
doesn didn aren couldn shouldn wouldn hasn haven hadn im ive whats hows wheres
"""
_FRENCH = """
a afin ai aie aient ainsi alors apres as au aucun aucune aura aurait aussi autre autres aux avaient avais avait avant
avec avez avoir avons ayant beaucoup bien bon bonjour bonsoir ca car ce ceci cela celle celles celui cependant ces cet
cette ceux chaque chez ci comme comment connaitre d dans de depuis des dessous dessus dire dit dites dois doit doivent
donc donne donner donnez dont du elle elles en encore entre es est et etaient etais etait etant etc ete etes etre eu
eux explique expliquer expliquez exemple faire fais fait faites faut font il ils information informations j jamais je
jusqu l la laquelle le lequel les lesquelles lesquels leur leurs lors lorsque lui ma mais me meme memes merci mes mien
mieux moi moins mon n ne ni non nos notre nous on ont ou par parce parle parler parlez pas pendant peu peut peuvent
peux plus plusieurs plutot pour pourquoi pourrait pouvez pouvoir pouvons puis puisque puis-je qu quand que quel quelle
quelles quels quelque quelques qui quoi s sa salut sans savoir se sera serait ses si sien soi soient sois soit sommes
son sont sous souhaite souhaiter suis sujet sur t ta tandis te tel telle telles tels tes tien toi ton toujours tous
tout toute toutes tres trop trouve trouver trouver tu un une va vais vas vers veut veux voici voila voir vont vos
votre voudrais voulez vouloir vous vraiment y
"""
_KISWAHILI = """
aidha ama ambao ambapo ambaye ambayo ambazo amba asante au bado baada badala baina bali basi bila cha chake chao chini
gani habari hadi haja hakuna halafu hao hapa hapana hapo hasa hata hawa haya hayo hebu hii hiki hili hilo hivi hivyo
hiyo hizi hizo huku huo huu huwa huyo huyu ila ili ingawa ipi ipo je jinsi juu kabisa kabla kadhaa kadhalika kama
karibu kati katika kila kipi kisha kitu kote kuhusu kule kuliko kuna kupitia kutoka kuwa kwa kwake kwamba kwani kwao
kwenye la lake lakini lao lazima lini lipi mambo mara mimi mno mfano moja na naam naitwa naomba nani nataka naweza
ndani ndio ndiyo ngapi ni nieleze nifanye nifanyeje nifahamishe niambie niko nina ninahitaji ninataka ninaweza
ninawezaje nini nisaidie nipe pa pale pamoja pande pasipo pia pili sana sasa sawa si sio sisi tafadhali tena tu
tunaweza tunawezaje unaweza unawezaje vile vipi vitu vya vyake vyao wa wake wako wala wale wao wangu wapi wawe wewe
wenu wetu wote ya yake yako yale yangu yao yapi yenu yenye yetu yeye yote yule yupi za zaidi zake zako zao zangu zenu
zetu zile zote zipi
"""

STOP_WORDS = {
    "en": frozenset(_ENGLISH.split()),
    "fr": frozenset(_FRENCH.split()),
    "sw": frozenset(_KISWAHILI.split()),
}
