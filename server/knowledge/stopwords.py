"""Words of questions that say nothing about what is sought, in small letters without accents.

Left out of questions only: documents keep all of theirs. Words such as *not* or *without* are here too: what they turn
around is found by the other words, and both answers usually stand in one passage.
"""

from __future__ import annotations

ENGLISH = """
a about after again all also am an and any are as at be because been before being but by can could did do does doing
don down else even ever for from further get go got had has have having he hello hers her here hi him his how i if in
into is it its just know like ll let may me might mine more most much must my myself need no nor not now of off ok on
once one only or other our ours out over own please re s same say she should so some something such t tell than thank
thanks that the their theirs them then there these they thing this those though through to too under until up us ve very
want was we well were what when where whether which while who whom whose why will with without would yet you your yours
"""
GERMAN = """
aber alle als also am an auch auf aus bei beim bin bis bist bitte bzw da dabei damit dann das dass dem den denn der des
dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es
etwa etwas
euch euer eure fur gibt haben habe hat hatte hatten hier hallo ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in
ins ist ja jede jeden jeder kann kannst kein keine keinen konnen konnte man mal mein meine meinem meinen meiner mich mir
mit mochte muss nach nicht noch nun nur ob oder ohne schon sehr sein seine sich sie sind so soll uber um und uns unser
unsere unter vom von vor wann warum was weil welche welchem welchen welcher welches wenn wer werden wie wieder will wir
wird wo wurde zu zum zur
"""
SPANISH = """
al algo alguna algun ante antes aqui asi aun aunque cada como con cual cuales cuando cuanto cuanta de del desde donde
dos
el ella ellas ellos en entre era es esa ese eso esta estan estar estas este esto estos estoy fue ha hace han hasta hay
hola la las le les lo los mas me mi mis mucho muy nada ni no nos nosotros nuestra nuestro o os otra otro para pero poco
por porque puede pueden puedo que quien quiero se sea ser si sin sobre solo son soy su sus tal tambien tanto te teneis
tener tengo ti tiene tienen todos tu tus un una unas uno unos usted ustedes vosotros y ya yo
"""

STOPWORDS = frozenset(f"{ENGLISH} {GERMAN} {SPANISH}".split())
